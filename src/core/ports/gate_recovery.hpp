#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/coupon.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// The most holders one command to the gate may carry.
inline constexpr std::size_t recovery_holders_max = 1'000;

/// What is left of a coupon's state when its recovery begins.
struct Remains {
  std::int64_t epoch = 0;      ///< what the state was of when it was last open; 0: there is none
  std::int64_t sequence = 0;   ///< the last one the state knows
  std::int64_t persisted = 0;  ///< every holder up to here is in the store
  std::int64_t holders = 0;    ///< how many
};

/// How far a coupon has come when it is opened again.
struct RebuiltMarks {
  std::int64_t sequence = 0;   ///< the highest one known
  std::int64_t persisted = 0;  ///< becomes `published` and `persisted`: the outbox lies above
  std::int64_t pending = 0;    ///< the last one in the outbox, or `sequence` when that is empty
};

/// Writes a coupon's state anew from what is known of it; docs/decisions/0007 says in which order.
///
/// From begin() to open() no claim and no mark reaches the coupon. Every write names the token of begin():
/// after another begin() it fails with gate_epoch, so of two recoveries only the later one goes on. Calls
/// block, up to the adapter's time limit; used from one thread. Every call may fail with `unavailable`.
class GateRecovery {
 public:
  virtual ~GateRecovery() = default;

  /// Shuts the coupon. Errors: gate_epoch when the gate has another coupon of
  /// this id (created_at), which is left alone.
  virtual Result<Remains> begin(const Coupon& coupon, const std::string& token) = 0;

  /// Holders that are left in the gate with a sequence above `after`, in any order.
  virtual Result<std::vector<Holder>> survivors(const std::string& coupon_id, std::int64_t after) = 0;

  /// Forgets all holders when `first`, then makes each of these users one.
  virtual Result<void> put_holders(const std::string& coupon_id, const std::string& token,
                                   std::span<const Holder> holders, bool first) = 0;

  /// Empties the outbox when `first`, then appends the entries, which ascend.
  virtual Result<void> put_outbox(const std::string& coupon_id, const std::string& token,
                                  std::span<const OutboxEntry> entries, bool first) = 0;

  /// Opens the coupon in coupon.epoch with stock, window and closed of `coupon` (a revision for the gate),
  /// unless the gate has later ones. Nothing waits between marks.pending and marks.sequence: a mark that
  /// reaches the one has reached the other.
  virtual Result<void> open(const Coupon& coupon, const std::string& token, const RebuiltMarks& marks) = 0;
};

}  // namespace seonchak
