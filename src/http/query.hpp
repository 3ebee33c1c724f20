#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace seonchak {

/// Undoes percent-encoding (RFC 3986, section 2.1). Nothing when a "%" is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

/// The first value named `name` of "a=1&b=2", decoded; nothing when it is absent, and empty when it cannot be
/// decoded.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace seonchak
