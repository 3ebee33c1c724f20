#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "core/model/coupon.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// The most coupons one page of a listing holds.
inline constexpr std::size_t coupons_page_max = 1'000;

/// A row of user_coupon.
struct UserCoupon {
  std::string coupon_id;
  std::string user_id;
  Sequence sequence = 0;
  Time issued_at{};
  std::string status;  ///< "issued"
};

/// A partition's position moves from `expected` to `next` together with the rows it stands for.
struct PositionChange {
  std::int32_t partition = 0;
  std::int64_t expected = 0;  ///< what the store must hold now; 0 also matches a partition it has never seen
  std::int64_t next = 0;
  std::string fingerprint{};  ///< LogPosition::fingerprint of `next`
};

/// The most claims one call writes down or forgets: what a statement does stays short.
inline constexpr std::size_t claims_piece_max = 10'000;

/// Errors: invalid.
inline Result<void> fits_a_piece(std::span<const KnownClaim> claims) {
  if (claims.size() <= claims_piece_max) return {};
  return Error{Errc::invalid, std::to_string(claims.size()) + " claims in one piece"};
}

/// An issued event that came out of the log in an epoch before its coupon's: recovery decides whether it
/// counts.
struct LateClaim {
  std::string coupon_id;
  KnownClaim claim;

  bool operator==(const LateClaim&) const = default;
};

/// A process that has announced that it will write down what it knows, and has not said that this was all.
struct Recording {
  std::string process;
  std::int64_t pieces = 0;  ///< record_unsaved() calls that have taken effect since

  bool operator==(const Recording&) const = default;
};

/// Who may do what only one process may do.
struct LeaseRow {
  std::int64_t token = 0;  ///< grows with every holder; 0: nobody has ever had it
  std::int64_t beat = 0;   ///< grows with every sign of life of that holder
  std::string holder;      ///< empty when nobody holds it, or the one who did is known to be gone

  bool operator==(const LeaseRow&) const = default;
};

/// A coupon and the epoch it must be in.
struct CouponEpoch {
  std::string coupon_id;
  Epoch epoch = 0;
};

/// A change of where a coupon's gate is trusted: its epoch, or its server's name, or both.
struct CouponFence {
  std::string coupon_id;
  Epoch seen_epoch = 0;   ///< what the row must have now
  std::string seen_gate;  ///< the same
  Epoch epoch = 0;
  std::string gate;
};

/// What became of many fences.
struct FencedCoupons {
  std::vector<Coupon> changed;    ///< as asked for now, each with a new revision
  std::vector<std::string> held;  ///< somebody holds the row, or the database refuses its change: nothing was
                                  ///< changed, nor found out
};

/// What all coupons of a store amount to: tells a catalog that rows are gone, or are what they were before.
struct CouponTotals {
  std::int64_t count = 0;     ///< of coupons with a revision above 0
  Revision revision_max = 0;  ///< 0 without any
  std::int64_t checksum = 0;  ///< the sum of revision_checksum of all revisions

  bool operator==(const CouponTotals&) const = default;
};

inline std::int64_t revision_checksum(Revision revision) {
  return revision.value() & 0xffff'ffff;
}

/// What one transaction of the consumer saves.
struct SaveBatch {
  std::string group;
  std::string topic;
  std::vector<IssuedEvent> events;
  std::vector<PositionChange> positions;
  std::vector<CouponEpoch> epochs{};  ///< each coupon once
  std::vector<LateClaim> late{};      ///< kept until recovery has decided them, whatever their coupon's epoch
};

enum class SaveOutcome {
  saved,   ///< rows and positions are committed
  fenced,  ///< another member has moved a position: nothing was saved, and this member must stop reading it
  superseded,  ///< a coupon is in another epoch, or gone: nothing was saved; look at the events anew
  busy,  ///< somebody else holds a row too long: nothing was saved; other coupons, or none at all, may be
         ///< free
};

/// The database. Calls block; safe from any thread. Every call may fail with `unavailable` (connection lost,
/// serialization failure, disk full): nothing of the call was committed, or it was and repeating it is
/// harmless.
///
/// Each change of a coupon gets a new revision: above every revision there is, and not below the database's
/// clock in Unix milliseconds. So a database that falls back to what it was does not give out again what it
/// gave out since, as long as its clock goes on.
class Store {
 public:
  virtual ~Store() = default;

  /// Inserts the coupon and returns it with its revision, and with an id when it came without one: the
  /// smallest number above every numeric id there is. Errors: already_exists.
  virtual Result<Coupon> create_coupon(Coupon coupon) = 0;

  /// Errors: not_found.
  virtual Result<Coupon> coupon(const std::string& id) = 0;

  /// Changes a coupon under its row lock: `change` edits the present row and may refuse with an error, which
  /// is returned and leaves the row alone. On success the row is committed with a new revision, which is not
  /// below the one that `change` leaves in the row. `change` may run more than once. Errors: not_found,
  /// row_held, not_now (the database refuses to change this row), and those of `change`.
  virtual Result<Coupon> update_coupon(const std::string& id,
                                       const std::function<Result<void>(Coupon&)>& change) = 0;

  /// Changes many coupons in one transaction, which waits for no row. A coupon that was not as seen, or is
  /// gone, is left alone and in neither list. Each coupon once.
  virtual Result<FencedCoupons> fence_coupons(std::span<const CouponFence> fences) = 0;

  /// Coupons with a revision above `after`, in revision order, at most `limit`.
  virtual Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) = 0;

  /// Coupons in order of id, those above `after_id` ("" for the first page), at most `limit`.
  virtual Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) = 0;

  /// Of one moment. Costs a scan over all coupons: some ms for 100,000 of them.
  virtual Result<CouponTotals> coupon_totals() = 0;

  /// Saves rows, late claims and positions in one transaction, in which no coupon named in `epochs` can
  /// change its epoch. A (coupon, user) that is there already is left alone; a (coupon, sequence) that
  /// another user holds is `rejected`, and so is anything else the database will never take. What the
  /// database refuses for a reason of its own (a trigger, a missing right) is `not_now`.
  virtual Result<SaveOutcome> save(const SaveBatch& batch) = 0;

  /// Positions of the group in the topic; a partition never saved is not in the list.
  virtual Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) = 0;

  /// Per partition of the topic the highest position of any group.
  virtual Result<std::vector<LogPosition>> highest_positions(const std::string& topic) = 0;

  /// A user's rows, newest first, at most `limit`.
  virtual Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) = 0;

  /// Holders of a coupon in order of sequence, those above `after_sequence`, at most `limit`.
  virtual Result<std::vector<Holder>> holders(const std::string& coupon_id, Sequence after_sequence,
                                              std::size_t limit) = 0;

  /// Those of `users` who hold the coupon, in any order.
  virtual Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                                    std::span<const std::string> users) = 0;

  /// Announces that `process` is about to write down what it remembers of a coupon that is under recovery in
  /// `epoch`; repeating it is harmless. Waits for no row's lock. False when no recovery in that epoch is
  /// under way.
  virtual Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch,
                                       const std::string& process) = 0;

  /// Writes down what a process remembers of such a coupon, at most claims_piece_max claims (more are
  /// `invalid`), and counts the piece for its recording, if there is one of that name; repeating it is
  /// harmless. Waits for no row's lock: `unavailable` when somebody holds the coupon's. False, and nothing
  /// written, when no recovery in that epoch is under way.
  virtual Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                                      std::span<const KnownClaim> claims) = 0;

  /// Says that this was all.
  virtual Result<void> end_recording(const std::string& coupon_id, Epoch epoch,
                                     const std::string& process) = 0;

  /// Who has announced it in that epoch and is not at its end, in any order. One that has died never is.
  virtual Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch) = 0;

  /// What all processes have written down of a coupon.
  virtual Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id) = 0;

  /// How much that is.
  virtual Result<std::int64_t> recorded_claim_count(const std::string& coupon_id) = 0;

  /// Forgets it and its recordings, unless the coupon is not open in `epoch`: then it is the next recovery's.
  virtual Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch) = 0;

  /// Late claims of a coupon in order of (sequence, epoch, user), those above `after` ({} for the first
  /// page), at most `limit`.
  virtual Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                                      std::size_t limit) = 0;

  /// Ids of coupons that have any, in order, those above `after_id`, at most `limit`.
  virtual Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id,
                                                                    std::size_t limit) = 0;

  /// Forgets these, at most claims_piece_max (more are `invalid`).
  virtual Result<void> forget_late_claims(const std::string& coupon_id,
                                          std::span<const KnownClaim> claims) = 0;

  /// The lease of that name as it is now. core/lease.hpp says how it is used.
  virtual Result<LeaseRow> read_lease(const std::string& name) = 0;

  /// Makes `holder` (not empty) its holder and returns the new token, or nothing when the lease is not as
  /// `seen` any more.
  virtual Result<std::optional<std::int64_t>> take_lease(const std::string& name, const LeaseRow& seen,
                                                         const std::string& holder) = 0;

  /// A sign of life. False when the holder of `token` does not hold it any more.
  virtual Result<bool> beat_lease(const std::string& name, std::int64_t token) = 0;

  /// Leaves it to whoever comes first, if the holder of `token` still holds it.
  virtual Result<void> release_lease(const std::string& name, std::int64_t token) = 0;

  /// Whether the database answers.
  virtual Result<void> check() = 0;
};

}  // namespace seonchak
