#include "core/ports/read_tail.hpp"

#include <utility>

#include "base/ticker.hpp"

namespace seonchak {

namespace {

Result<void> read_parts(EventLogTail& log, std::span<const LogPosition> positions,
                        const TailReadOptions& options,
                        const std::function<bool(std::vector<IssuedEvent>)>& take) {
  if (auto started = log.start(positions); !started) return started;
  const auto ends = log.ends();
  if (!ends) return ends.error();
  auto moved = ticker().now();
  Error why{Errc::unavailable, "the log does not hand out what lies before its end"};
  while (true) {
    auto part = log.read(*ends, options.records_max, options.wait);
    if (!part) {
      why = part.error();
    } else {
      if (!part->events.empty() && !take(std::move(part->events))) return {};
      if (part->at_end) return {};
      if (part->advanced) moved = ticker().now();
    }
    if (ticker().now() - moved >= options.stall) return why;
  }
}

}  // namespace

Result<void> read_tail(EventLogTail& log, std::span<const LogPosition> positions,
                       const TailReadOptions& options,
                       const std::function<bool(std::vector<IssuedEvent>)>& take) {
  auto read = read_parts(log, positions, options, take);
  log.stop();
  return read;
}

}  // namespace seonchak
