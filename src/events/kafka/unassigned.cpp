#include "events/kafka/unassigned.hpp"

#include <utility>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "events/kafka/group_description.hpp"

namespace seonchak::kafka {

void Unassigned::forget() {
  seen_ = false;
  next_look_ = ticker().now() + look_period;
}

bool Unassigned::found(rd_kafka_t* client) {
  if (ticker().now() < next_look_) return false;
  const bool seen_before = std::exchange(seen_, look(client));
  next_look_ = ticker().now() + look_period;
  return seen_before && seen_;
}

bool Unassigned::look(rd_kafka_t* client) {
  const auto count = ranges_.partitions(client);
  if (!count) return false;
  const auto group = describe_group(client, options_.group, target_.topic,
                                    std::chrono::milliseconds(options_.check_timeout_ms));
  if (!group) {
    log::debug("the consumer group is not known", {{"why", group.error().message}});
    return false;
  }
  return group->at_rest && group->assigned.size() < static_cast<std::size_t>(*count);
}

}  // namespace seonchak::kafka
