#include "events/kafka/fingerprint.hpp"

#include <cstddef>
#include <string_view>

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

namespace {

/// FNV-1a.
class Hash {
 public:
  void add(const void* data, std::size_t size) {
    // Nothing at all is not the same as an empty text.
    step(data == nullptr ? 1 : 0);
    for (std::size_t i = 0; i < size; ++i) step(static_cast<const unsigned char*>(data)[i]);
  }

  std::string hex() const {
    std::string text(16, '0');
    std::uint64_t rest = hash_;
    for (std::size_t i = text.size(); i-- > 0; rest >>= 4U) text[i] = "0123456789abcdef"[rest & 15U];
    return text;
  }

 private:
  void step(unsigned char byte) { hash_ = (hash_ ^ byte) * 1'099'511'628'211U; }
  std::uint64_t hash_ = 14'695'981'039'346'656'037U;
};

std::string beginning_of(std::int64_t offset) {
  return "1:" + std::to_string(offset) + ":";
}

}  // namespace

std::string fingerprint_of(const rd_kafka_message_s& message) {
  Hash hash;
  hash.add(message.key, message.key_len);
  hash.add(message.payload, message.len);
  rd_kafka_timestamp_type_t type{};
  return beginning_of(message.offset) + std::to_string(rd_kafka_message_timestamp(&message, &type)) + ":" +
         std::to_string(message.key_len + message.len) + ":" + hash.hex();
}

std::int64_t RecordsBefore::expect(std::int32_t partition, std::int64_t next_offset,
                                   const std::string& fingerprint) {
  expected_.erase(partition);
  const std::int64_t before = next_offset - 1;
  if (before < 0 || !fingerprint.starts_with(beginning_of(before))) return next_offset;
  expected_[partition] = {before, fingerprint};
  return before;
}

RecordsBefore::Verdict RecordsBefore::look(const rd_kafka_message_s& message) {
  if (expected_.empty()) return Verdict::not_asked;
  const auto found = expected_.find(message.partition);
  if (found == expected_.end()) return Verdict::not_asked;
  const Expected expected = std::move(found->second);
  expected_.erase(found);
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fingerprint_of(message) == expected.fingerprint ? Verdict::same : Verdict::other;
  }
  return message.offset <= expected.offset ? Verdict::not_yet : Verdict::other;
}

}  // namespace seonchak::kafka
