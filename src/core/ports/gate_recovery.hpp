#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/model/gate_config.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// The most holders one command to the gate may carry.
inline constexpr std::size_t recovery_holders_max = 1'000;

/// What is left of a coupon's state when its recovery begins.
struct Remains {
  Epoch epoch = 0;            ///< what the state was of when it was last open; 0: there is none
  Sequence sequence = 0;      ///< the last one the state knows
  Sequence persisted = 0;     ///< every holder up to here is in the store
  std::int64_t holders = 0;   ///< how many there are
  std::int64_t counted = -1;  ///< how many the state says there are; -1: it does not say
  Sequence pending = 0;       ///< the last sequence in the outbox, as the state says
  std::int64_t entries = 0;   ///< how many entries the outbox has
  Sequence rebuilt = 0;       ///< as Outbox::Progress::rebuilt
  bool fields_lost = false;   ///< one of the above is not what the state had

  /// Whether something waits for the store.
  bool has_pending() const { return pending > persisted; }

  /// Whether the rest has what the state says it has.
  bool is_whole() const { return holders >= counted && (entries > 0 || !has_pending()) && !fields_lost; }
};

/// How far a coupon has come when it is opened again.
struct RebuiltWatermarks {
  Sequence sequence = 0;   ///< the highest one known
  Sequence persisted = 0;  ///< becomes `published` and `persisted`: the outbox lies above
  Sequence pending = 0;    ///< the last one in the outbox, or `sequence` when that is empty
};

/// Writes a coupon's state anew from what is known of it; docs/decisions/0007 says in which order.
///
/// From begin() to open() no claim and no watermark reaches the coupon. Every write names the token of
/// begin(): after another begin() it fails with gate_epoch, so of two recoveries only the later one goes on.
/// Calls block, up to the adapter's time limit; used from one thread. Every call may fail with `unavailable`,
/// and with `gate_unusable` when what the gate has under the coupon's names is not what a gate of ours
/// writes.
class GateRecovery {
 public:
  virtual ~GateRecovery() = default;

  /// What begin() compares: the epoch in the gate's own words, empty without a state. It changes whenever the
  /// coupon is shut or opened.
  virtual Result<std::string> observe(const std::string& coupon_id) = 0;

  /// Shuts the coupon if observe() would still say `expected`, so that a caller that was stopped in between
  /// shuts nothing. Errors: gate_epoch when it would not, or when the gate has another coupon of this id
  /// (created_at), which is left alone.
  virtual Result<Remains> begin(const GateConfig& config, const std::string& token,
                                const std::string& expected) = 0;

  /// Holders that are left in the gate with a sequence above `after`, in any order. Errors: gate_untrusted
  /// when another server answers before the end.
  virtual Result<std::vector<Holder>> survivors(const std::string& coupon_id, Sequence after) = 0;

  /// Forgets all holders when `first`, then makes each of these users one. Without users it only asks whether
  /// the token still counts. Errors: gate_behind when holders have been lost since begin().
  virtual Result<void> put_holders(const std::string& coupon_id, const std::string& token,
                                   std::span<const Holder> holders, bool first) = 0;

  /// Empties the outbox when `first`, then appends the entries, which ascend.
  virtual Result<void> put_outbox(const std::string& coupon_id, const std::string& token,
                                  std::span<const OutboxEntry> entries, bool first) = 0;

  /// Opens the coupon in config.epoch with stock, window and closed of `config`, unless the gate has later
  /// ones (gate_behind when of those something is lost). Nothing waits between watermarks.pending and
  /// watermarks.sequence: a watermark that reaches the one has reached the other. Leaves a hint for
  /// Outbox::active first. Errors: gate_behind when holders or the outbox have been lost since they were put,
  /// or since begin().
  virtual Result<void> open(const GateConfig& config, const std::string& token,
                            const RebuiltWatermarks& watermarks) = 0;
};

}  // namespace seonchak
