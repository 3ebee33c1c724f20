#include "events/kafka/stalled.hpp"

#include <algorithm>
#include <utility>

namespace seonchak::kafka {

void Stalled::forget() {
  partitions_.clear();
}

bool Stalled::found(rd_kafka_s* client, std::span<const std::int32_t> owned,
                    const std::map<std::int32_t, std::int64_t>& started_at) {
  const auto now = ticker().now();
  if (now < next_look_) return false;
  next_look_ = now + look_period;
  bool stalled = false;
  for (const std::int32_t number : owned) {
    const auto start = started_at.find(number);
    if (start == started_at.end()) continue;
    const std::int64_t next = reading_.next(number).value_or(start->second);
    Partition& partition = partitions_.try_emplace(number, Partition{next, now}).first->second;
    if (partition.next != next) partition = {next, now};
    if (now - partition.since >= silence_max) stalled = look(client, number, partition) || stalled;
  }
  return stalled;
}

bool Stalled::look(rd_kafka_s* client, std::int32_t number, Partition& partition) {
  const auto range = ranges_.ask(client, number);
  const bool more = range && range->end > std::max(partition.next, range->begin);
  return std::exchange(partition.stalled, more) && more;
}

}  // namespace seonchak::kafka
