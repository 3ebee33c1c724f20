#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

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
/// decided yet holds up those of its own coupon only, or, when its gate does not answer, those of that gate.
///
/// Used from one thread.
class BareRequests {
 public:
  BareRequests(GateControl& gate, CatalogReader& catalog, BareRequestOptions options)
      : gate_(gate), catalog_(catalog), options_(options) {}

  /// Decides what can be decided. Returns why the rest must wait; nothing when all are decided, or when this
  /// was as much as one step may do.
  std::optional<Error> step(ConsumeBatch& batch);

  /// Another batch begins.
  void forget() { undecided_since_.clear(); }

 private:
  Result<Decision> ask(const Coupon& coupon, const std::string& user_id);
  bool waited_enough(const std::string& coupon_id, const Error& error);

  GateControl& gate_;
  CatalogReader& catalog_;
  const BareRequestOptions options_;
  std::map<std::string, std::chrono::steady_clock::time_point> undecided_since_;  // by coupon
};

}  // namespace seonchak
