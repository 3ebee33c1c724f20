#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/coupon.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// The most holders or users one call of GateRecovery may carry.
inline constexpr std::size_t recovery_holders_max = 1'000;

/// What is left of a coupon's state when its recovery begins.
struct Remains {
  std::int64_t epoch = 0;      ///< 0: there is no state, or a recovery that was never finished
  std::int64_t sequence = 0;   ///< the last one the state knows
  std::int64_t persisted = 0;  ///< every holder up to here is in the store
  std::int64_t holders = 0;    ///< how many
};

/// Writes a coupon's state anew from what is known of it; docs/decisions/0007 says in which order.
///
/// From begin() to open() no claim and no mark reaches the coupon. Every write names the token of begin():
/// after another begin() it fails with gate_epoch, so of two recoveries only the later one goes on. Calls
/// block, up to the adapter's time limit; used from one thread. Every call may fail with `unavailable`.
class GateRecovery {
 public:
  virtual ~GateRecovery() = default;

  /// Shuts the coupon, and forgets earlier witnesses. Errors: gate_epoch when the gate has another coupon of
  /// this id (created_at), which is left alone.
  virtual Result<Remains> begin(const Coupon& coupon, const std::string& token) = 0;

  /// Lets a process say what it knows to be issued, while the coupon is shut. Errors: gate_missing,
  /// gate_epoch when it is not shut.
  virtual Result<void> witness(const std::string& coupon_id, std::span<const Holder> holders) = 0;

  /// What the witnesses have said, in any order.
  virtual Result<std::vector<Holder>> witnesses(const std::string& coupon_id) = 0;

  /// Holders that are left in the gate with a sequence above `after`, in any order.
  virtual Result<std::vector<Holder>> survivors(const std::string& coupon_id, std::int64_t after) = 0;

  /// Makes each of these users a holder, whatever the gate said of them before.
  virtual Result<void> put_holders(const std::string& coupon_id, const std::string& token,
                                   std::span<const Holder> holders) = 0;

  /// Makes each of these users none.
  virtual Result<void> drop_holders(const std::string& coupon_id, const std::string& token,
                                    std::span<const std::string> users) = 0;

  /// Empties the outbox when `first`, then appends the entries, which ascend.
  virtual Result<void> put_outbox(const std::string& coupon_id, const std::string& token,
                                  std::span<const OutboxEntry> entries, bool first) = 0;

  /// Opens the coupon in coupon.epoch with stock, window and closed of `coupon` (a revision for the gate),
  /// unless the gate has later ones. `published` and `persisted` become `persisted`. False, and still shut,
  /// when there are more witnesses than `witnesses_heard`.
  virtual Result<bool> open(const Coupon& coupon, const std::string& token, std::int64_t sequence,
                            std::int64_t persisted, std::size_t witnesses_heard) = 0;
};

}  // namespace seonchak
