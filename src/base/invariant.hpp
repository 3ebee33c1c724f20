#pragma once
#include <source_location>
#include <string_view>

namespace seonchak {

/// Says on standard error where and `what`, and aborts.
[[noreturn]] void broken_invariant(std::string_view what,
                                   std::source_location where = std::source_location::current());

/// Something that only a mistake in our own code can break: whoever went on would corrupt memory, or lose
/// what somebody was promised. `what` is how it should be. Costs a branch, in release builds too. Never for
/// what was read from outside: that is an Error, of its coupon alone.
inline void invariant(bool holds, std::string_view what,
                      std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    broken_invariant(what, where);
}

}  // namespace seonchak
