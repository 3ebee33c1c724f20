#include "core/rebuild.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

namespace seonchak {

Rebuilt rebuild(KnownHolders known) {
  std::unordered_set<std::string> users;
  std::unordered_set<std::int64_t> sequences;
  Rebuilt result;
  result.sequence = known.last_sequence;
  if (!known.taken.empty()) result.sequence = std::max(result.sequence, known.taken.back());
  for (Holder& holder : known.waiting) {
    if (!users.insert(holder.user_id).second) continue;
    sequences.insert(holder.sequence);
    result.sequence = std::max(result.sequence, holder.sequence);
    result.pending.push_back(std::move(holder));
  }

  std::vector<Holder> keeping;
  std::vector<Holder> clashing;
  for (Holder& holder : known.candidates) {
    result.sequence = std::max(result.sequence, holder.sequence);
    if (!users.insert(holder.user_id).second) continue;
    const bool clash =
        std::ranges::binary_search(known.taken, holder.sequence) || !sequences.insert(holder.sequence).second;
    (clash ? clashing : keeping).push_back(std::move(holder));
  }
  std::ranges::sort(keeping, {}, &Holder::sequence);
  const auto room = static_cast<std::size_t>(std::max<std::int64_t>(0, known.room));
  for (Holder& holder : clashing) {
    if (keeping.size() < room) {
      holder.sequence = ++result.sequence;
      keeping.push_back(std::move(holder));
    } else {
      result.dropped.push_back(std::move(holder));
    }
  }
  while (keeping.size() > room) {
    result.dropped.push_back(std::move(keeping.back()));
    keeping.pop_back();
  }

  result.added = static_cast<std::int64_t>(keeping.size());
  std::ranges::move(keeping, std::back_inserter(result.pending));
  std::ranges::sort(result.pending, {}, &Holder::sequence);
  result.persisted = result.pending.empty() ? result.sequence : result.pending.front().sequence - 1;
  return result;
}

std::vector<OutboxEntry> entries_of(const std::string& coupon_id, std::int64_t epoch,
                                    const std::vector<Holder>& holders, std::size_t users_max) {
  std::vector<OutboxEntry> entries;
  for (const Holder& holder : holders) {
    const bool fits = !entries.empty() && entries.back().users.size() < users_max &&
                      entries.back().issued_at == holder.issued_at &&
                      entries.back().last_sequence() + 1 == holder.sequence;
    if (!fits) entries.push_back({coupon_id, epoch, holder.sequence, holder.issued_at, {}});
    entries.back().users.push_back(holder.user_id);
  }
  return entries;
}

}  // namespace seonchak
