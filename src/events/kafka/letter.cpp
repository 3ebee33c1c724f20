#include "events/kafka/letter.hpp"

#include <algorithm>

#include <librdkafka/rdkafka.h>

#include "events/kafka/letter_form.hpp"

namespace seonchak::kafka {

namespace {

constexpr std::string_view prefix = "kafka_dlt-";

/// Letters of earlier programs say in the reason alone that their value is not all of it.
constexpr std::string_view cut_note = " (value cut: ";

std::optional<std::string> text_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(bytes), size);
}

template <class Integer>
std::optional<Integer> from_big_endian(const std::optional<std::string>& bytes) {
  if (!bytes || bytes->size() != sizeof(Integer)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char byte : *bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<Integer>(number);
}

void read_header(DeadLetter& letter, std::string_view name, std::optional<std::string> value) {
  if (!name.starts_with(prefix)) {
    letter.headers.emplace_back(name, std::move(value));
    return;
  }
  if (name == left_out_header) letter.cut = true;
  name.remove_prefix(prefix.size());
  if (name == "original-topic") letter.original_topic = value.value_or("");
  if (name == "original-partition") letter.original_partition = from_big_endian<std::int32_t>(value);
  if (name == "original-offset") letter.original_offset = from_big_endian<std::int64_t>(value);
  if (name == "exception-message") letter.reason = value.value_or("");
}

}  // namespace

DeadLetter letter_of(const rd_kafka_message_t& message) {
  DeadLetter letter;
  letter.partition = message.partition;
  letter.offset = message.offset;
  rd_kafka_timestamp_type_t type{};
  letter.written_at = from_millis(std::max<std::int64_t>(0, rd_kafka_message_timestamp(&message, &type)));
  letter.key = text_of(message.key, message.key_len);
  letter.value = text_of(message.payload, message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* bytes = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &bytes, &size) == 0; ++i)
      read_header(letter, name, text_of(bytes, size));
  }
  letter.cut = letter.cut || letter.reason.find(cut_note) != std::string::npos;
  return letter;
}

}  // namespace seonchak::kafka
