#pragma once
#include <chrono>
#include <functional>
#include <span>

#include "core/ports/event_log.hpp"

namespace seonchak {

struct TailReadOptions {
  std::size_t records_max = 10'000;     ///< in a part
  std::chrono::milliseconds wait{250};  ///< for a part
  /// Without any progress: then it is given up. How much there is to read has no limit.
  std::chrono::milliseconds stall{10'000};
};

/// Reads the log from `positions` to the end that it has at the time of the call, and hands over each part
/// that has events, until `take` says false. Blocks. Errors: unavailable.
Result<void> read_tail(EventLogTail& log, std::span<const LogPosition> positions,
                       const TailReadOptions& options,
                       const std::function<bool(std::vector<IssuedEvent>)>& take);

}  // namespace seonchak
