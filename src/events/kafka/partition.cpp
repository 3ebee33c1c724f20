#include "events/kafka/partition.hpp"

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

std::int32_t partition_of(const std::string& coupon_id, int partitions) {
  return rd_kafka_msg_partitioner_murmur2(nullptr, coupon_id.data(), coupon_id.size(), partitions, nullptr,
                                          nullptr);
}

}  // namespace seonchak::kafka
