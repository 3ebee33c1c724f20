#include "events/kafka/start_offset.hpp"

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"

namespace seonchak::kafka {

std::int64_t start_offset(rd_kafka_s* client, const KafkaOptions& options, const Target& target,
                          const LogPosition& position, RecordsBefore& before) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  const auto error = rd_kafka_query_watermark_offsets(client, target.topic.c_str(), position.partition, &low,
                                                      &high, options.call_timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return before.expect(position.partition, position.next_offset, position.fingerprint);
  const bool lost = position.next_offset < low;
  const bool beyond = position.next_offset > high;
  if (position.next_offset == low) return low;
  if (!lost && !beyond) return before.expect(position.partition, position.next_offset, position.fingerprint);
  log::warn(beyond ? "kafka log is shorter than the stored position; reading it from its beginning"
                   : "kafka log has dropped records that were not stored; reading what is left",
            {{"topic", target.topic},
             {"partition", position.partition},
             {"position", position.next_offset},
             {"log_begin", low},
             {"log_end", high}});
  return RD_KAFKA_OFFSET_BEGINNING;
}

}  // namespace seonchak::kafka
