#pragma once
#include <string_view>

namespace seonchak {

/// Whether the program is to make the mistake of that name, so that the simulator can show that it would be
/// found. Always false, and free, unless built with SEONCHAK_FAILPOINTS; docs/simulation.md lists the
/// names.
#ifdef SEONCHAK_FAILPOINTS
inline std::string_view failpoint_name;
inline bool failpoint(std::string_view name) {
  return failpoint_name == name;
}
#else
constexpr bool failpoint(std::string_view) {
  return false;
}
#endif

}  // namespace seonchak
