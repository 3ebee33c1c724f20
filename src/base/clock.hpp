#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace seonchak {

/// Wall-clock time in UTC, to the millisecond: the resolution of every timestamp seonchak stores or shows.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

/// The machine's wall clock, now.
Time now();

inline std::int64_t to_millis(Time time) {
  return time.time_since_epoch().count();
}
inline Time from_millis(std::int64_t millis) {
  return Time(std::chrono::milliseconds(millis));
}
/// The same for a number from outside: nothing beyond the years that format_rfc3339 writes.
std::optional<Time> time_from_millis(std::int64_t millis);

/// RFC 3339 in UTC with milliseconds: "2026-11-22T03:00:00.123Z". Years 1970 to 9999.
std::string format_rfc3339(Time time);

/// Reads an RFC 3339 date-time (section 5.6) with "Z" or a numeric offset and up to nine fraction digits,
/// which are cut to milliseconds. Years 1970 to 9999 in UTC. Nothing for anything else, leap seconds
/// included.
std::optional<Time> parse_rfc3339(std::string_view text);

}  // namespace seonchak
