#pragma once
#include <string>

namespace seonchak {

/// Advisory locks, held to the end of the transaction. The first number keeps them apart from other
/// programs'.
inline constexpr int advisory_lock_class = 0x73656f6e;
inline constexpr int migration_lock = 1;
inline constexpr int revision_lock = 2;

inline std::string lock_sql(int lock) {
  return "SELECT pg_advisory_xact_lock(" + std::to_string(advisory_lock_class) + ", " + std::to_string(lock) +
         ")";
}

}  // namespace seonchak
