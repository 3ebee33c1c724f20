#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "events/kafka/client.hpp"

namespace seonchak::kafka {

/// Where each partition of a topic ended when a running consumer last saw it. Used from one thread.
class LogEnds {
 public:
  explicit LogEnds(std::string topic) : topic_(std::move(topic)) {}

  /// Whether a partition ends before an end that was seen: then the log may be another one.
  bool fell(rd_kafka_s* client, std::span<const std::int32_t> partitions);

  void clear() { ends_.clear(); }

 private:
  const std::string topic_;
  std::unordered_map<std::int32_t, std::int64_t> ends_;
};

}  // namespace seonchak::kafka
