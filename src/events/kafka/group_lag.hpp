#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "core/ports/event_log.hpp"
#include "events/kafka/client.hpp"

namespace seonchak::kafka {

/// Tells the group, now and then, how far the store has come, for the tools that show a lag. Nothing else
/// reads it: the truth is in the store.
///
/// Used from one thread.
class GroupLag {
 public:
  explicit GroupLag(std::string topic) : topic_(std::move(topic)) {}

  void reached(std::span<const LogPosition> positions);
  void forget() { offsets_.clear(); }

  /// Without waiting for an answer. `client` may be null: nothing is written then.
  void write(rd_kafka_s* client);
  void write_if_due(rd_kafka_s* client);

 private:
  const std::string topic_;
  std::map<std::int32_t, std::int64_t> offsets_;  // not written yet
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace seonchak::kafka
