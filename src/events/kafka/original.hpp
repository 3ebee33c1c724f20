#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

struct rd_kafka_message_s;
struct rd_kafka_headers_s;

namespace seonchak::kafka {

/// All of a consumed message that a dead letter repeats. Points into the message, or its copy.
struct Original {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  int timestamp_type = 0;
  const void* key = nullptr;
  std::size_t key_bytes = 0;
  const void* value = nullptr;
  std::size_t value_bytes = 0;
  const rd_kafka_headers_s* headers = nullptr;
};

Original original_of(const rd_kafka_message_s& message);

/// A copy of a message. One of librdkafka's own would keep the whole fetch in memory of which it is a part.
class KeptMessage {
 public:
  explicit KeptMessage(const rd_kafka_message_s& message);

  /// Valid as long as this object.
  Original original() const;

  /// What it takes, more or less.
  std::size_t bytes() const { return bytes_; }

 private:
  struct DestroyHeaders {
    void operator()(rd_kafka_headers_s* headers) const;
  };

  Original of_;
  std::optional<std::string> key_;
  std::optional<std::string> value_;
  std::unique_ptr<rd_kafka_headers_s, DestroyHeaders> headers_;
  std::size_t bytes_ = 0;
};

/// Copies by partition and offset.
class KeptMessages {
 public:
  /// Returns how many bytes more they take.
  std::size_t keep(const rd_kafka_message_s& message);

  /// Returns how many bytes less.
  std::size_t let_go(std::int32_t partition, std::int64_t offset);

  std::optional<Original> find(std::int32_t partition, std::int64_t offset) const;
  void clear() { messages_.clear(); }

 private:
  std::map<std::pair<std::int32_t, std::int64_t>, KeptMessage> messages_;
};

}  // namespace seonchak::kafka
