#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "events/kafka/client.hpp"
#include "events/kafka/log_ranges.hpp"

namespace seonchak::kafka {

/// How far a running consumer has read its partitions. Used from one thread.
class Reading {
 public:
  Reading(const Target& target, LogRanges& ranges) : target_(target), ranges_(ranges) {}

  /// Of each message that came, the end of a partition among them.
  void saw(const rd_kafka_message_s& message);

  /// Asks the brokers, unless it has just asked: up to check_timeout_ms a question, and one that is silent
  /// not again for a while. `owned`: by this member, of this client.
  EventConsumer::Reach reach(rd_kafka_s* client, std::span<const std::int32_t> owned,
                             const std::string& coupon_id);

  /// Everything before it was read; nothing before anything came.
  std::optional<std::int64_t> next(std::int32_t partition) const;

  /// Those of `owned` whose records are read as far as they can be, and that have more. An open transaction
  /// of another program holds back what comes behind its first record. Asks nobody.
  std::vector<LogPosition> held_back(rd_kafka_s* client, std::span<const std::int32_t> owned) const;

  /// The partitions are read from other positions now.
  void clear();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Place {
    std::int64_t next = 0;  // everything before it was read
    bool at_end = false;    // nothing can be read at `next`
  };
  template <typename T>
  struct Answer {
    std::optional<T> value;  // nothing: it could not be had
    TimePoint asked_at{};
  };

  template <typename T>
  static bool fresh(const std::optional<Answer<T>>& answer);
  std::optional<int> partitions(rd_kafka_s* client);
  std::optional<std::int64_t> end(rd_kafka_s* client, std::int32_t partition);
  EventConsumer::Reach reach(rd_kafka_s* client, std::int32_t partition);
  bool is_held_back(rd_kafka_s* client, std::int32_t partition) const;

  const Target& target_;
  LogRanges& ranges_;
  std::map<std::int32_t, Place> places_;
  std::map<std::int32_t, std::optional<Answer<std::int64_t>>> ends_;
  std::optional<Answer<int>> partitions_;
  int last_partitions_ = 0;       // so many there were when that was last known
  TimePoint partitions_since_{};  // when so many were first seen
};

}  // namespace seonchak::kafka
