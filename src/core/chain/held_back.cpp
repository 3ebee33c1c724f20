#include "core/chain/held_back.hpp"

#include <algorithm>

#include "base/ticker.hpp"

namespace seonchak {

std::optional<HeldBack::Longest> HeldBack::longest(std::span<const LogPosition> now) {
  std::erase_if(since_, [&](const auto& known) {
    return std::ranges::find(now, known.first, &LogPosition::partition) == now.end();
  });
  const auto time = ticker().now();
  std::optional<Longest> longest;
  for (const LogPosition& held : now) {
    const auto [known, is_new] = since_.try_emplace(held.partition, Since{held.next_offset, time});
    if (known->second.offset != held.next_offset) known->second = {held.next_offset, time};
    const std::chrono::nanoseconds waited = time - known->second.time;
    if (!longest || waited > longest->waited) longest = {held.partition, held.next_offset, waited};
  }
  return longest;
}

}  // namespace seonchak
