#include "events/kafka/group_lag.hpp"

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

namespace {

constexpr std::chrono::milliseconds interval{1'000};

}  // namespace

void GroupLag::reached(std::span<const LogPosition> positions) {
  for (const LogPosition& position : positions) offsets_[position.partition] = position.next_offset;
}

void GroupLag::write_if_due(rd_kafka_s* client) {
  if (std::chrono::steady_clock::now() >= due_) write(client);
}

void GroupLag::write(rd_kafka_s* client) {
  due_ = std::chrono::steady_clock::now() + interval;
  if (offsets_.empty() || client == nullptr) return;
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets_.size())));
  for (const auto& [partition, offset] : offsets_)
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition)->offset = offset;
  offsets_.clear();
  constexpr int asynchronous = 1;
  rd_kafka_commit(client, list.get(), asynchronous);
}

}  // namespace seonchak::kafka
