#pragma once
#include <cstdint>

#include "events/kafka/client.hpp"
#include "events/kafka/fingerprint.hpp"

namespace seonchak::kafka {

/// The offset to read a partition from: the position's, or the one before it to see whether the log was made
/// anew, or the log's beginning when it was and never got that far. Up to call_timeout_ms.
std::int64_t start_offset(rd_kafka_s* client, const KafkaOptions& options, const Target& target,
                          const LogPosition& position, RecordsBefore& before);

}  // namespace seonchak::kafka
