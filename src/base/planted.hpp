#pragma once
#include <string_view>

namespace seonchak {

/// Whether the program is to make the mistake of that name, so that the simulator can show that it would be
/// found. Always false, and free, unless built with SEONCHAK_PLANTED_BUGS; docs/simulation.md lists the
/// names.
#ifdef SEONCHAK_PLANTED_BUGS
inline std::string_view planted_bug;
inline bool planted(std::string_view name) {
  return planted_bug == name;
}
#else
constexpr bool planted(std::string_view) {
  return false;
}
#endif

}  // namespace seonchak
