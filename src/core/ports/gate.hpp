#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/model/decision.hpp"
#include "core/model/gate_config.hpp"
#include "core/model/rejected_sequences.hpp"
#include "core/ports/per_coupon.hpp"

namespace seonchak {

/// The most users one atomic call may carry.
inline constexpr std::size_t claim_users_max = 512;

/// While claims of a coupon come to it, a caller leaves a hint for Outbox::active once in this time.
inline constexpr std::chrono::milliseconds active_hint_period{1'000};

/// Everyone who asked for one coupon while the last call was out.
struct ClaimBatch {
  std::string coupon_id;
  Epoch epoch = 0;  ///< the epoch the store trusts; another one in the gate is Errc::gate_epoch
  Sequence sequence_seen =
      0;  ///< the highest sequence the caller has seen in this epoch; a lower state is Errc::gate_behind
  std::vector<std::string>
      users;           ///< valid_user_id each, 1 to claim_users_max, duplicates allowed, in order of arrival
  std::string gate{};  ///< coupon.gate: the batch is not sent to any other server (Errc::gate_untrusted)
};

/// The answer to one user of a batch.
struct Claim {
  Decision decision = Decision::sold_out;
  Sequence sequence = 0;  ///< for issued and already_issued
  Time issued_at{};  ///< for issued and already_issued: when that sequence was decided, by the gate's clock
};

struct ClaimReply {
  GateState state;            ///< after the batch
  std::vector<Claim> claims;  ///< one per user, in the batch's order
};

/// Errors: unavailable, gate_missing, gate_epoch, gate_untrusted, gate_behind, gate_unusable, outbox_full.
/// After `unavailable` the batch may or may not have been decided; asking again is safe, since a user never
/// gets a second sequence.
using ClaimHandler = std::function<void(Result<ClaimReply>)>;

/// Decides, numbers and appends to the outbox in one atomic step. One instance per event loop, used from its
/// thread.
class Gate {
 public:
  virtual ~Gate() = default;

  /// Calls `handler` exactly once, on the loop's thread, within the adapter's time limit; it may be called
  /// before claim returns. Batches of one coupon are decided in the order of the calls. Leaves a hint for
  /// Outbox::active, never later than the batch is decided.
  virtual void claim(ClaimBatch batch, ClaimHandler handler) = 0;
};

/// Which server a gate is, as far as the server can tell.
struct GateIdentity {
  std::string run_id;          ///< this life of its process
  std::string replication_id;  ///< the history its data belongs to
  bool joined = false;         ///< it took over another server's history: its data may have been replaced

  std::string name() const { return run_id + '/' + replication_id; }
};

/// The coupons of one user that the gate knows of.
struct Holding {
  std::string coupon_id;
  Sequence sequence = 0;
  Time issued_at{};
};

/// One user's coupon.
struct Holder {
  std::string user_id;
  Sequence sequence = 0;
  Time issued_at{};

  bool operator==(const Holder&) const = default;
};

/// A holder, as somebody outside the gate knows it.
struct KnownClaim {
  Holder holder;
  Epoch epoch = 0;  ///< in which it was decided

  bool operator==(const KnownClaim&) const = default;
};

/// Some of a coupon's holders.
struct HoldersPage {
  std::vector<Holder> holders;
  std::string next;  ///< where the next page begins; empty after the last
};

/// Everything that is not the hot path. Calls block, up to the adapter's time limit; safe from any thread.
/// Every call may fail with `unavailable`, when nothing is known, and every call about a coupon with
/// `gate_unusable`, when what the gate has under the coupon's names is not what a gate of ours writes.
class GateControl {
 public:
  virtual ~GateControl() = default;

  /// Creates the state of a coupon that has never been opened, in config.epoch, with nothing issued. When the
  /// state exists already and is of the same coupon (created_at) and epoch, does nothing; an earlier epoch in
  /// which nothing was issued is replaced. Errors: gate_later when the coupon has issued in another epoch, is
  /// in a later one or in a recovery; gate_epoch when another coupon is there, or remains of one.
  virtual Result<void> install(const GateConfig& config) = 0;

  /// Takes over stock, window and closed from `config` unless the gate has this revision already. Errors:
  /// gate_later when it has a later one, and stock_below_issued (nothing changed in both); gate_missing,
  /// gate_epoch, gate_untrusted, gate_behind.
  virtual Result<void> configure(const GateConfig& config) = 0;

  /// Errors: gate_missing; gate_epoch while the coupon is being recovered.
  virtual Result<GateState> state(const std::string& coupon_id) = 0;

  /// As state(), of many coupons.
  virtual PerCoupon<GateState> states(std::span<const std::string> coupon_ids) {
    PerCoupon<GateState> states;
    for (const std::string& id : coupon_ids) states.push_back(state(id));
    return states;
  }

  /// What the user holds of each of these coupons, if anything.
  virtual PerCoupon<std::optional<Holding>> holdings(const std::string& user_id,
                                                     std::span<const std::string> coupon_ids) = 0;

  /// The holders of a coupon among `users`, in their order. Errors: gate_missing, gate_epoch, gate_untrusted.
  virtual Result<std::vector<std::optional<Holder>>> holders_of(const GateConfig& config,
                                                                std::span<const std::string> users) = 0;

  /// All holders, page by page, so that others are served in between; `cursor` is empty at first, then
  /// HoldersPage::next. Whoever holds the coupon from the first call to the last is on some page, perhaps on
  /// several; nobody is asked for when there is no state. A cursor belongs to one server: gate_untrusted when
  /// another one answers by now.
  virtual Result<HoldersPage> holders_page(const std::string& coupon_id, const std::string& cursor) = 0;

  /// The same decision and hint as Gate::claim, for callers that may block.
  virtual Result<ClaimReply> claim_now(ClaimBatch batch) = 0;

  /// Which server has this coupon, or would have it; Coupon::gate names the one its state is trusted on.
  virtual Result<GateIdentity> identity(const std::string& coupon_id) = 0;

  /// Whether the gate answers, and takes writes, as a claim needs.
  virtual Result<void> check() = 0;

  /// Whether it has memory for what another claim adds: outbox_full when it does not. What else is wrong
  /// check() tells.
  virtual Result<void> room() = 0;
};

/// One atomic batch of the outbox: consecutive sequences of one coupon.
struct OutboxEntry {
  std::string coupon_id;
  Epoch epoch = 0;
  Sequence first_sequence = 0;
  Time issued_at{};
  std::vector<std::string> users;  ///< users[i] holds first_sequence + i

  bool operator==(const OutboxEntry&) const = default;
  Sequence last_sequence() const { return first_sequence + static_cast<std::int64_t>(users.size()) - 1; }
};

/// Up to which sequence of a coupon something has been done, in one epoch.
struct Watermark {
  std::string coupon_id;
  Sequence sequence = 0;
  Epoch epoch = 0;

  bool operator==(const Watermark&) const = default;
};

/// What was read of many outboxes.
struct OutboxRead {
  std::vector<OutboxEntry> entries;   ///< ascending within a coupon
  std::vector<CouponFailure> failed;  ///< coupons of which nothing could be read
};

/// A coupon that was claimed lately, so that its outbox may have something.
struct ActiveCoupon {
  std::string coupon_id;
  Time last_hint{};  ///< to the millisecond, by the clock of whoever gave it

  bool operator==(const ActiveCoupon&) const = default;
};

/// The issued coupons that the store does not have yet. Calls block; one instance per thread.
/// Every call may fail with `unavailable`, when nothing is known, and for a coupon with `gate_unusable`.
class Outbox {
 public:
  virtual ~Outbox() = default;

  /// Entries with a last sequence above `after[i].sequence` for each coupon named, oldest first within a
  /// coupon, at most `entries_max` per coupon. Waits up to `wait` when there is neither an entry nor a
  /// failure. A coupon fails when its next entry cannot be read; entries before that one come first.
  virtual Result<OutboxRead> read(std::span<const Watermark> after, std::size_t entries_max,
                                  std::chrono::milliseconds wait) = 0;

  /// Raises `published` to each watermark; a watermark lower than the present one, or of another epoch,
  /// changes nothing.
  virtual PerCoupon<void> raise_published(std::span<const Watermark> watermarks) = 0;

  /// Raises `persisted` to each watermark, as above, and trims the entries that lie wholly at or below it.
  virtual PerCoupon<void> raise_persisted(std::span<const Watermark> watermarks) = 0;

  /// Notes sequences that will have no row, one of a coupon each; of another epoch than the present one it
  /// changes nothing. To be called before `persisted` is raised past them.
  virtual PerCoupon<void> reject(std::span<const Watermark> sequences) = 0;

  /// Becomes, or stays, the one relay of each coupon for `ttl`: whether `owner` leases it now. Another's
  /// lease lasts no longer than `ttl` from now on, unless it is renewed.
  virtual PerCoupon<bool> lease(std::span<const std::string> coupon_ids, const std::string& owner,
                                std::chrono::milliseconds ttl) = 0;

  /// Gives up what `owner` leases.
  virtual PerCoupon<void> release(std::span<const std::string> coupon_ids, const std::string& owner) = 0;

  /// How far a coupon has come.
  struct Progress {
    Sequence published = 0;
    Sequence persisted = 0;
    Epoch epoch = 0;       ///< what the watermarks belong to; 0 without a state, and while it is recovered
    Sequence rebuilt = 0;  ///< a recovery wrote what lies up to here: its sequences may have gaps, those
                           ///< above have none
    RejectedSequences rejected{};
  };
  /// Errors: gate_behind when the next one that waits for the store is not in the outbox, or the state lacks
  /// something that our gates write.
  virtual PerCoupon<Progress> progress(std::span<const std::string> coupon_ids) = 0;

  /// Coupons with a hint, the latest first, at most `limit`. A hint is left by a claim, at most once per
  /// coupon, caller and active_hint_period, and by the end of a recovery. Hints may be lost with the server's
  /// memory or be refused by a full server: nobody may rely on them alone.
  virtual Result<std::vector<ActiveCoupon>> active(std::size_t limit) = 0;

  /// Forgets the hint, unless another than `last_hint` has been left since. To be called once the outbox has
  /// been seen empty for longer than active_hint_period.
  virtual Result<void> settle_active(const std::string& coupon_id, Time last_hint) = 0;
};

}  // namespace seonchak
