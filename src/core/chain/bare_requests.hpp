#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "core/chain/backoff.hpp"
#include "core/chain/consume_batch.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

struct BareRequestOptions {
  std::size_t per_step_max = 256;  ///< decided in one step

  /// The gate answers, and a coupon cannot be decided all the same: for so long that is taken for a recovery
  /// under way, then the coupon counts as unusable.
  std::chrono::milliseconds undecided_max{15'000};
};

/// Lets the gate decide the bare requests of a batch, in the log's order for each coupon. One that cannot be
/// decided yet holds up those of its own coupon only, or, when its gate does not answer, those of that gate:
/// they are left alone until a backoff is over, in later batches, too.
///
/// Used from one thread.
class BareRequests {
 public:
  using TimePoint = Backoff::TimePoint;

  BareRequests(GateControl& gate, CatalogReader& catalog, BareRequestOptions options, BackoffOptions backoff)
      : gate_(gate), catalog_(catalog), options_(options), backoff_(backoff) {}

  struct Turn {
    bool more = false;             ///< it was as much as one step may do
    std::optional<Error> waiting;  ///< why something could not be decided
  };

  /// Decides what can be decided now.
  Turn step(ConsumeBatch& batch);

  /// When to try a coupon's requests again; in the past when nothing speaks against it.
  TimePoint due(const std::string& coupon_id);

  /// What is known of coupons of which no request waits any more, as `waits` says, is out of date.
  template <class Waits>
  void forget_unless(const Waits& waits) {
    std::erase_if(coupons_, [&](const auto& entry) { return !waits(entry.first); });
    if (coupons_.empty()) gates_.clear();
  }

 private:
  struct Undecided {
    Backoff backoff;
    std::optional<TimePoint> since;  // the gate answers since then
  };

  Result<Decision> ask(const Coupon& coupon, const std::string& user_id);
  bool waited_enough(const std::string& coupon_id, const Error& error);

  GateControl& gate_;
  CatalogReader& catalog_;
  const BareRequestOptions options_;
  const BackoffOptions backoff_;
  std::map<std::string, Undecided> coupons_;
  std::map<std::string, Backoff> gates_;  // that do not answer
};

}  // namespace seonchak
