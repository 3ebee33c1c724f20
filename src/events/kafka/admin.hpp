#pragma once
#include "base/error.hpp"
#include "events/kafka/client.hpp"

namespace seonchak::kafka {

/// Creates what is missing of the topic and its dead-letter topic as at the start, for a program under which
/// they were deleted. Blocks up to check_timeout_ms. Errors: unavailable.
Result<void> create_topics_again(rd_kafka_s* client, const KafkaOptions& options, const Target& target);

/// Of how many brokers so many keep each partition of a topic, or more.
struct Copies {
  int brokers = 0;
  int replicas = 0;
};
Result<Copies> copies_of(rd_kafka_s* client, const std::string& topic, std::chrono::milliseconds wait);

}  // namespace seonchak::kafka
