#pragma once
#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "events/kafka/client.hpp"

namespace seonchak::kafka {

/// A consumer group as its coordinator sees it.
struct GroupDescription {
  bool at_rest = false;             ///< it is not sharing anything out at the moment
  std::set<std::int32_t> assigned;  ///< partitions of the topic that some member owns
};

/// Up to `wait` and a second. Errors: unavailable.
Result<GroupDescription> describe_group(rd_kafka_s* client, const std::string& group,
                                        const std::string& topic, std::chrono::milliseconds wait);

}  // namespace seonchak::kafka
