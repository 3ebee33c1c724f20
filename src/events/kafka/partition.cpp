#include "events/kafka/partition.hpp"

#include <algorithm>

#include <librdkafka/rdkafka.h>

#include "events/kafka/client.hpp"

namespace seonchak::kafka {

namespace {

using std::chrono::milliseconds;

Result<std::int64_t> log_offset(rd_kafka_s* client, const std::string& topic, std::int32_t partition,
                                std::int64_t which, milliseconds wait) {
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  entry->offset = which;
  auto error = rd_kafka_offsets_for_times(client, list.get(), static_cast<int>(wait.count()));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = entry->err;
  // Without an answer in time it is no error, and the entry as it was.
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && entry->offset < 0) error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return entry->offset;
  return Error{Errc::unavailable, "partition " + std::to_string(partition) + ": " + error_text(error)};
}

}  // namespace

std::int32_t partition_of(const std::string& coupon_id, int partitions) {
  return rd_kafka_msg_partitioner_murmur2(nullptr, coupon_id.data(), coupon_id.size(), partitions, nullptr,
                                          nullptr);
}

Result<LogRange> log_range(rd_kafka_s* client, const std::string& topic, std::int32_t partition,
                           milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  const auto begin = log_offset(client, topic, partition, RD_KAFKA_OFFSET_BEGINNING, wait);
  if (!begin) return begin.error();
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  const auto end = log_offset(client, topic, partition, RD_KAFKA_OFFSET_END, std::max(milliseconds(1), left));
  if (!end) return end.error();
  return LogRange{*begin, *end};
}

Result<std::int64_t> log_end(rd_kafka_s* client, const std::string& topic, std::int32_t partition,
                             milliseconds wait) {
  return log_offset(client, topic, partition, RD_KAFKA_OFFSET_END, wait);
}

}  // namespace seonchak::kafka
