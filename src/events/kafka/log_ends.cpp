#include "events/kafka/log_ends.hpp"

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"

namespace seonchak::kafka {

bool LogEnds::fell(rd_kafka_s* client, std::span<const std::int32_t> partitions) {
  bool fell = false;
  for (const std::int32_t partition : partitions) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto error = rd_kafka_get_watermark_offsets(client, topic_.c_str(), partition, &low, &high);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) continue;
    std::int64_t& seen = ends_[partition];
    if (high < seen) {
      fell = true;
      log::warn("kafka log ends before an end that was seen; looking whether it was made anew",
                {{"topic", topic_}, {"partition", partition}, {"log_end", high}, {"seen_end", seen}});
    }
    seen = high;
  }
  return fell;
}

}  // namespace seonchak::kafka
