#include "events/kafka/start_offset.hpp"

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"

namespace seonchak::kafka {

std::int64_t start_offset(const std::string& topic, const LogPosition& position,
                          const std::optional<LogRange>& range, RecordsBefore& before) {
  const bool lost = range && position.next_offset < range->begin;
  const bool beyond = range && position.next_offset > range->end;
  if (range && position.next_offset == range->begin) return range->begin;
  if (!lost && !beyond) return before.expect(position.partition, position.next_offset, position.fingerprint);
  log::warn(beyond ? "kafka log is shorter than the stored position; reading it from its beginning"
                   : "kafka log has dropped records that were not stored; reading what is left",
            {{"topic", topic},
             {"partition", position.partition},
             {"position", position.next_offset},
             {"log_begin", range->begin},
             {"log_end", range->end}});
  return RD_KAFKA_OFFSET_BEGINNING;
}

}  // namespace seonchak::kafka
