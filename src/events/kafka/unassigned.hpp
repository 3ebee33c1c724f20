#pragma once
#include <chrono>
#include <string>

#include "base/ticker.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/log_ranges.hpp"

namespace seonchak::kafka {

/// Notices that a group at rest has given partitions of the topic to none of its members. librdkafka (2.0.2)
/// stays so for good when the topic is made anew just while the group shares it out. Used from one thread.
class Unassigned {
 public:
  Unassigned(const KafkaOptions& options, const Target& target, LogRanges& ranges)
      : options_(options), target_(target), ranges_(ranges) {}

  /// For a member that owns nothing: whether it was so at two looks in a row. Looks once in look_period, and
  /// takes up to 3 * check_timeout_ms for it.
  bool found(rd_kafka_s* client);

  /// The group has shared them out again.
  void forget();

 private:
  static constexpr std::chrono::seconds look_period{5};

  bool look(rd_kafka_s* client);

  const KafkaOptions& options_;
  const Target& target_;
  LogRanges& ranges_;
  Ticker::TimePoint next_look_ = ticker().now() + look_period;
  bool seen_ = false;  // at the last look
};

}  // namespace seonchak::kafka
