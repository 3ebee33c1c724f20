#include "core/recovery/rebuild.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/failpoint.hpp"

namespace seonchak {

Rebuilt rebuild(KnownHolders known) {
  std::unordered_set<std::string> users;
  std::unordered_set<Sequence> sequences;
  Rebuilt result;
  result.sequence = known.last_sequence;
  if (!known.taken.empty()) result.sequence = std::max(result.sequence, known.taken.back());
  for (Holder& holder : known.waiting) {
    if (!users.insert(holder.user_id).second) continue;
    sequences.insert(holder.sequence);
    result.sequence = std::max(result.sequence, holder.sequence);
    result.pending.push_back(std::move(holder));
  }
  // Whoever was told a sequence must not meet another user with it, so none of them is given out again.
  for (const Holder& holder : known.candidates) result.sequence = std::max(result.sequence, holder.sequence);

  std::int64_t room = known.room;
  for (Holder& holder : known.candidates) {
    if (!users.insert(holder.user_id).second) continue;
    if (room <= 0) {
      result.dropped.push_back(std::move(holder));
      continue;
    }
    --room;
    const bool clash = holder.sequence <= known.intact ||
                       std::ranges::binary_search(known.taken, holder.sequence) ||
                       !sequences.insert(holder.sequence).second;
    if (clash) holder.sequence = ++result.sequence;
    result.pending.push_back(std::move(holder));
  }
  std::ranges::sort(result.pending, {}, &Holder::sequence);
  return result;
}

std::vector<Holder> by_credibility(std::vector<KnownClaim> claims, Epoch epoch) {
  std::ranges::stable_sort(claims, {}, [epoch](const KnownClaim& claim) {
    const bool counts_less = claim.epoch != epoch && !failpoint("plain_union");
    return std::pair(counts_less, claim.holder.sequence);
  });
  std::vector<Holder> holders;
  holders.reserve(claims.size());
  for (KnownClaim& claim : claims) holders.push_back(std::move(claim.holder));
  return holders;
}

std::vector<OutboxEntry> entries_of(const std::string& coupon_id, Epoch epoch,
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
