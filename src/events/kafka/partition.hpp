#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "base/error.hpp"

struct rd_kafka_s;

namespace seonchak::kafka {

/// In which of so many partitions our publisher writes the events of a coupon.
std::int32_t partition_of(const std::string& coupon_id, int partitions);

/// Where the log of a partition begins and ends.
struct LogRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// As far as `client` may read it. rd_kafka_query_watermark_offsets() asks the same, but that of
/// librdkafka 2.0 waits far beyond its time for a broker that hangs. Error: unavailable.
Result<LogRange> log_range(rd_kafka_s* client, const std::string& topic, std::int32_t partition,
                           std::chrono::milliseconds wait);

/// The end alone: each of the two is a question, which may wait for what is being fetched.
Result<std::int64_t> log_end(rd_kafka_s* client, const std::string& topic, std::int32_t partition,
                             std::chrono::milliseconds wait);

}  // namespace seonchak::kafka
