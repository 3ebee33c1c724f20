#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace seonchak {

/// Appends `text` as a JSON string, quotes included. Bytes above 0x7f pass unchanged: `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// Appends a quoted RFC 3339 time, or null.
void append_json_time(std::string& out, const std::optional<Time>& time);

}  // namespace seonchak
