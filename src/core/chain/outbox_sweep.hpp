#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/catalog/catalog.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

struct OutboxSweepOptions {
  std::size_t coupons_per_look = 32;            ///< asked together, in one command where the gate can
  std::chrono::milliseconds period{1'000};      ///< between two looks
  std::chrono::milliseconds first_period{32};   ///< during the first round: about 1,000 coupons a second
  std::chrono::milliseconds round_min{10'000};  ///< the least time between the beginnings of two rounds
};

/// Looks for outboxes that have something, of all coupons there are, a few at a time: what stands behind the
/// hints of Outbox::active, which may be lost. Open coupons come first; a closed one is left alone once its
/// outbox was empty, until it is changed. What that costs the gate depends on no number of coupons.
///
/// Used from one thread.
class OutboxSweep {
 public:
  OutboxSweep(Outbox& outbox, OutboxSweepOptions options) : outbox_(outbox), options_(options) {}

  /// Looks at the next few if it is time. Returns those that have something. Errors: unavailable; the same
  /// coupons are looked at again then.
  Result<std::vector<std::string>> step(const CatalogSnapshot& catalog);

  /// When step() has something to do.
  std::chrono::steady_clock::time_point due() const { return due_; }

  /// Begins again, as at first.
  void restart();

 private:
  void begin_round(const CatalogSnapshot& catalog);

  Outbox& outbox_;
  const OutboxSweepOptions options_;
  std::vector<std::string> round_;                 // still to be looked at, the last one next
  std::unordered_set<Revision> closed_and_empty_;  // by revision, which no two coupons share
  bool first_round_ = true;
  std::chrono::steady_clock::time_point round_began_{};
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace seonchak
