#pragma once
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog/catalog.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct LateClaimsOptions {
  std::chrono::milliseconds period{1'000};  ///< between two looks into the store while there are none
  std::chrono::milliseconds retry{500};     ///< of a coupon, after a failure or when some of it wait
  std::size_t coupons_max = 1'000;          ///< of one look
  std::size_t claims_max = 500;             ///< decided at once
};

/// Decides late claims: coupons that were issued in an epoch before their coupon's, and that the recovery in
/// between did not know of. The only place that does, and under the lease of the recoveries; a recovery takes
/// those of its coupon into its union instead. One is forgotten only when the store has what the gate says of
/// its user: until then a gate that is lost once more has nobody else to ask. Used from one thread.
class LateClaims {
 public:
  LateClaims(Store& store, GateControl& control, Catalog& catalog, Metrics& metrics,
             LateClaimsOptions options = {});

  /// Asks the store for coupons that have any, when it is time.
  void look();

  /// Whether there are any that could be decided now.
  bool waiting() const;

  /// Decides the first ones of one coupon, in order of sequence. False when there is nothing to do at the
  /// moment. A coupon that is not open or cannot be used waits, and others go on.
  bool decide();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Waiting {
    TimePoint due{};         // when to look at it
    KnownClaim after{};      // the next page begins here
    bool some_wait = false;  // in the pages before: the store does not have them yet
  };
  struct Verdict {
    std::vector<KnownClaim> decided;  // nothing more to do about them
    std::vector<KnownClaim> to_save;  // the gate has them so, and says that the store does
    bool some_wait = false;           // the gate has others, and the store not yet
    Result<void> rest;                // why the others could not be decided
  };

  Result<bool> decide(const std::string& coupon_id, Waiting& place);
  Verdict ask_gate(const Coupon& coupon, const std::vector<KnownClaim>& claims);
  Result<bool> claim_again(const Coupon& coupon, const KnownClaim& claim);
  Result<SaveOutcome> save(const Coupon& coupon, std::span<const KnownClaim> claims);
  Result<void> save_or_drop(const Coupon& coupon, std::span<const KnownClaim> claims);
  void lost(const std::string& coupon_id, const KnownClaim& claim, std::string_view why);

  Store& store_;
  GateControl& control_;
  CatalogReader catalog_;
  const LateClaimsOptions options_;
  std::map<std::string, Waiting> coupons_;  // with late claims
  std::string turn_;
  std::string after_;  // where the next look begins
  TimePoint next_look_{};
  Counter& decided_;
  Counter& lost_;
};

}  // namespace seonchak
