#include "events/kafka/log_ranges.hpp"

#include <algorithm>

#include <librdkafka/rdkafka.h>

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
  const auto begin = ask_offset(client, partition, RD_KAFKA_OFFSET_BEGINNING, until);
  if (!begin) return std::nullopt;
  const auto end = ask_offset(client, partition, RD_KAFKA_OFFSET_END, until);
  if (!end) return std::nullopt;
  return LogRange{*begin, *end};
}

// One question: each may wait for what is being fetched.
std::optional<std::int64_t> LogRanges::ask_end(rd_kafka_s* client, std::int32_t partition) {
  return ask_offset(client, partition, RD_KAFKA_OFFSET_END, TimePoint::max());
}

// rd_kafka_query_watermark_offsets() of librdkafka 2.0 waits far beyond its timeout.
std::optional<std::int64_t> LogRanges::ask_offset(rd_kafka_s* client, std::int32_t partition,
                                                  std::int64_t which, TimePoint until) {
  const std::int32_t broker = leader(partition);
  const auto began = SteadyClock::now();
  std::erase_if(silent_, [began](const auto& entry) { return entry.second <= began; });
  if (silent_.contains(broker)) return std::nullopt;
  // Several that are silent share the time that one may take.
  const milliseconds patience(options_.check_timeout_ms / (1 + static_cast<int>(silent_.size())));
  const auto wait = std::min(patience, std::chrono::floor<milliseconds>(until - began));
  if (wait <= milliseconds(0)) return std::nullopt;
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  auto* entry = rd_kafka_topic_partition_list_add(list.get(), target_.topic.c_str(), partition);
  entry->offset = which;
  const auto error = rd_kafka_offsets_for_times(client, list.get(), static_cast<int>(wait.count()));
  // Without an answer in time it is no error, and the entry as it was.
  const bool answered = error == RD_KAFKA_RESP_ERR_NO_ERROR && entry->err == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (answered && entry->offset >= 0) return entry->offset;
  // A quick error is one partition's alone.
  if (const auto time = SteadyClock::now(); time - began >= patience * 9 / 10)
    silent_[broker] = time + ask_again;
  return std::nullopt;
}

/// Partitions without a leader have one in common: who asks for one waits until there is one. Where it is not
/// known, each stands for itself.
std::int32_t LogRanges::leader(std::int32_t partition) const {
  constexpr std::int32_t first_unknown = -2;
  const auto index = static_cast<std::size_t>(partition);
  return index < leaders_.size() ? leaders_[index] : first_unknown - partition;
}

}  // namespace seonchak::kafka
