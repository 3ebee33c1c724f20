#pragma once
#include <cstddef>
#include <set>

#include "core/model/ids.hpp"

namespace seonchak {

/// Sequences of a coupon that were issued and that the store will not have: the database rejects their rows,
/// and their events are in the dead-letter topic. `persisted` goes past them all the same.
struct RejectedSequences {
  static constexpr std::size_t kept_max = 1'000;

  std::set<Sequence> kept;
  bool too_many = false;  ///< more than kept_max: any may be one

  /// Whether `persisted` does not say that this one has a row.
  bool may_contain(Sequence sequence) const { return too_many || kept.contains(sequence); }
  void add(Sequence sequence) {
    if (too_many) return;
    kept.insert(sequence);
    too_many = kept.size() > kept_max;
  }
  bool operator==(const RejectedSequences&) const = default;
};

}  // namespace seonchak
