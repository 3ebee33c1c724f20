#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "events/kafka/fingerprint.hpp"
#include "events/kafka/log_ranges.hpp"

namespace seonchak::kafka {

/// The offset to read a partition from: the position's, or the one before it to see whether the log was made
/// anew, or the log's beginning when it was and never got that far. Where the log's range is not known, the
/// record before the position tells.
std::int64_t start_offset(const std::string& topic, const LogPosition& position,
                          const std::optional<LogRange>& range, RecordsBefore& before);

}  // namespace seonchak::kafka
