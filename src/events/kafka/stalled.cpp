#include "events/kafka/stalled.hpp"

#include <algorithm>
#include <utility>

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

void Stalled::saw(const rd_kafka_message_t& message) {
  const bool record = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
  // Markers of transactions may lie before an end, which are never handed out.
  if (record || message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
    partitions_[message.partition] = {ticker().now(), record ? message.offset + 1 : message.offset};
}

void Stalled::forget() {
  partitions_.clear();
}

bool Stalled::found(rd_kafka_t* client, std::span<const std::int32_t> owned,
                    const std::map<std::int32_t, std::int64_t>& started_at) {
  const auto now = ticker().now();
  if (now < next_look_) return false;
  next_look_ = now + look_period;
  bool stalled = false;
  for (const std::int32_t number : owned) {
    const auto start = started_at.find(number);
    if (start == started_at.end()) continue;
    Partition& partition = partitions_.try_emplace(number, Partition{now, start->second}).first->second;
    if (now - partition.heard_at >= silence_max) stalled = look(client, number, partition) || stalled;
  }
  return stalled;
}

bool Stalled::look(rd_kafka_t* client, std::int32_t number, Partition& partition) {
  const auto range = ranges_.ask(client, number);
  const bool more = range && range->end > std::max(partition.next, range->begin);
  return std::exchange(partition.stalled, more) && more;
}

}  // namespace seonchak::kafka
