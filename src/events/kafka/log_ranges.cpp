#include "events/kafka/log_ranges.hpp"

#include <algorithm>

#include <librdkafka/rdkafka.h>

#include "events/kafka/partition.hpp"

namespace seonchak::kafka {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds ask_again{10'000};

}  // namespace

Result<int> LogRanges::partitions(rd_kafka_s* client) {
  const Topic topic(rd_kafka_topic_new(client, target_.topic.c_str(), nullptr));
  auto leaders = leaders_of(client, topic.get(), target_, milliseconds(options_.check_timeout_ms));
  if (!leaders) return leaders.error();
  leaders_ = std::move(*leaders);
  return static_cast<int>(leaders_.size());
}

std::optional<LogRange> LogRanges::ask(rd_kafka_s* client, std::int32_t partition, TimePoint until) {
  std::optional<LogRange> range;
  question(partition, until, [&](milliseconds wait) {
    const auto answer = log_range(client, target_.topic, partition, wait);
    if (answer) range = *answer;
  });
  return range;
}

std::optional<std::int64_t> LogRanges::ask_end(rd_kafka_s* client, std::int32_t partition) {
  std::optional<std::int64_t> end;
  question(partition, TimePoint::max(), [&](milliseconds wait) {
    const auto answer = log_end(client, target_.topic, partition, wait);
    if (answer) end = *answer;
  });
  return end;
}

void LogRanges::question(std::int32_t partition, TimePoint until,
                         const std::function<void(milliseconds)>& ask) {
  const std::int32_t broker = leader(partition);
  const auto began = SteadyClock::now();
  std::erase_if(silent_, [began](const auto& entry) { return entry.second <= began; });
  if (silent_.contains(broker)) return;
  // Several that are silent share the time that one may take.
  const milliseconds patience(options_.check_timeout_ms / (1 + static_cast<int>(silent_.size())));
  const auto wait = std::min(patience, std::chrono::floor<milliseconds>(until - began));
  if (wait <= milliseconds(0)) return;
  ask(wait);
  // A quick error is one partition's alone.
  if (const auto time = SteadyClock::now(); time - began >= patience * 9 / 10)
    silent_[broker] = time + ask_again;
}

/// Partitions without a leader have one in common: who asks for one waits until there is one. Where it is not
/// known, each stands for itself.
std::int32_t LogRanges::leader(std::int32_t partition) const {
  constexpr std::int32_t first_unknown = -2;
  const auto index = static_cast<std::size_t>(partition);
  return index < leaders_.size() ? leaders_[index] : first_unknown - partition;
}

}  // namespace seonchak::kafka
