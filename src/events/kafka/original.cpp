#include "events/kafka/original.hpp"

#include <string_view>

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

namespace {

/// Beside its bytes: objects, allocations, an entry of a map.
constexpr std::size_t overhead_bytes = 256;
constexpr std::size_t header_overhead_bytes = 64;

std::optional<std::string> copy_of(const void* data, std::size_t bytes) {
  if (data == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(data), bytes);
}

std::size_t bytes_of(const rd_kafka_headers_t* headers) {
  std::size_t bytes = 0;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t value_bytes = 0;
  for (std::size_t i = 0;
       headers != nullptr &&
       rd_kafka_header_get_all(headers, i, &name, &value, &value_bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i)
    bytes += header_overhead_bytes + std::string_view(name).size() + value_bytes;
  return bytes;
}

}  // namespace

Original original_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) headers = nullptr;
  rd_kafka_timestamp_type_t type{};
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  return {message.partition, message.offset,  timestamp,   type,   message.key,
          message.key_len,   message.payload, message.len, headers};
}

void KeptMessage::DestroyHeaders::operator()(rd_kafka_headers_s* headers) const {
  rd_kafka_headers_destroy(headers);
}

KeptMessage::KeptMessage(const rd_kafka_message_t& message)
    : of_(original_of(message)),
      key_(copy_of(of_.key, of_.key_bytes)),
      value_(copy_of(of_.value, of_.value_bytes)),
      headers_(of_.headers == nullptr ? nullptr : rd_kafka_headers_copy(of_.headers)),
      bytes_(overhead_bytes + of_.key_bytes + of_.value_bytes + bytes_of(of_.headers)) {}

Original KeptMessage::original() const {
  Original original = of_;
  original.key = key_ ? key_->data() : nullptr;
  original.value = value_ ? value_->data() : nullptr;
  original.headers = headers_.get();
  return original;
}

std::size_t KeptMessages::keep(const rd_kafka_message_t& message) {
  const auto [kept, is_new] = messages_.try_emplace(std::pair(message.partition, message.offset), message);
  return is_new ? kept->second.bytes() : 0;
}

std::size_t KeptMessages::let_go(std::int32_t partition, std::int64_t offset) {
  const auto kept = messages_.find({partition, offset});
  if (kept == messages_.end()) return 0;
  const std::size_t bytes = kept->second.bytes();
  messages_.erase(kept);
  return bytes;
}

std::optional<Original> KeptMessages::find(std::int32_t partition, std::int64_t offset) const {
  const auto kept = messages_.find({partition, offset});
  if (kept == messages_.end()) return std::nullopt;
  return kept->second.original();
}

}  // namespace seonchak::kafka
