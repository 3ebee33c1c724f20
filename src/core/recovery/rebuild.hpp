#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/ports/gate.hpp"

namespace seonchak {

/// What is known of a coupon's holders when its gate is recovered.
struct KnownHolders {
  std::vector<Holder> waiting{};     ///< certain, and within the stock; the store may not have them
  std::vector<Holder> candidates{};  ///< said to be issued, and not in the store; the most credible first
  std::vector<Sequence> taken{};     ///< sequences of the store's rows, ascending
  Sequence intact = 0;         ///< up to here the gate has kept who holds what: no sequence is a candidate's
  Sequence last_sequence = 0;  ///< the highest one known besides these
  std::int64_t room = 0;       ///< how many of the candidates the stock has room for
};

/// What the gate is to hold besides the store's rows.
struct Rebuilt {
  std::vector<Holder> pending;     ///< ascending sequences: the outbox
  std::vector<Holder> dropped;     ///< candidates the stock has no room for
  std::vector<Holder> rejected{};  ///< pending ones whose rows the store rejected
  Sequence sequence = 0;           ///< the highest of all

  /// Every pending sequence lies above.
  Sequence persisted() const { return pending.empty() ? sequence : pending.front().sequence - 1; }
};

/// Takes the union. A candidate keeps its sequence unless that is somebody else's; then it gets a new one,
/// above all. Two servers that both issued can have given more than the stock: then the last candidates are
/// dropped, and nothing is issued beyond the stock.
Rebuilt rebuild(KnownHolders known);

/// `claims` in order of credibility: those of `epoch` first, then by sequence.
std::vector<Holder> by_credibility(std::vector<KnownClaim> claims, Epoch epoch);

/// Outbox entries for these holders, ascending, none with more than `users_max`.
std::vector<OutboxEntry> entries_of(const std::string& coupon_id, Epoch epoch,
                                    const std::vector<Holder>& holders, std::size_t users_max);

}  // namespace seonchak
