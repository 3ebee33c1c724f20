#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "events/kafka/client.hpp"
#include "events/kafka/partition.hpp"

namespace seonchak::kafka {

/// Asks the brokers where partitions begin and end. A broker that is cut off does not refuse a question, it
/// leaves it unanswered: then its other partitions are not asked for a while either, so that all of them
/// cost the time of one question. Used from one thread.
class LogRanges {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  LogRanges(const KafkaOptions& options, const Target& target) : options_(options), target_(target) {}

  /// How many partitions there are; learns who leads them. Up to check_timeout_ms. Errors: unavailable;
  /// not_found.
  Result<int> partitions(rd_kafka_s* client);

  /// Nothing when it could not be had. Up to check_timeout_ms, and not beyond `until`.
  std::optional<LogRange> ask(rd_kafka_s* client, std::int32_t partition, TimePoint until = TimePoint::max());

  /// Likewise.
  std::optional<std::int64_t> ask_end(rd_kafka_s* client, std::int32_t partition);

 private:
  void question(std::int32_t partition, TimePoint until,
                const std::function<void(std::chrono::milliseconds)>& ask);
  std::int32_t leader(std::int32_t partition) const;

  const KafkaOptions& options_;
  const Target& target_;
  std::vector<std::int32_t> leaders_;         // by partition, when last known
  std::map<std::int32_t, TimePoint> silent_;  // brokers that left a question unanswered; when to ask again
};

}  // namespace seonchak::kafka
