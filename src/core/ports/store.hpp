#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "core/coupon.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// The most coupons one page of a listing holds.
inline constexpr std::size_t coupons_page_max = 1'000;

/// A row of user_coupon.
struct UserCoupon {
  std::string coupon_id;
  std::string user_id;
  std::int64_t sequence = 0;
  Time issued_at{};
  std::string status;  ///< "issued"
};

/// A partition's position moves from `expected` to `next` together with the rows it stands for.
struct PositionChange {
  std::int32_t partition = 0;
  std::int64_t expected = 0;  ///< what the store must hold now; 0 also matches a partition it has never seen
  std::int64_t next = 0;
};

/// A coupon and the epoch it must be in.
struct CouponEpoch {
  std::string coupon_id;
  std::int64_t epoch = 0;
};

/// What one transaction of the consumer saves.
struct SaveBatch {
  std::string group;
  std::string topic;
  std::vector<IssuedEvent> events;
  std::vector<PositionChange> positions;
  std::vector<CouponEpoch> epochs{};  ///< each coupon once
};

enum class SaveOutcome {
  saved,   ///< rows and positions are committed
  fenced,  ///< another member has moved a position: nothing was saved, and this member must stop reading it
  superseded,  ///< a coupon is in another epoch, or gone: nothing was saved; look at the events anew
};

/// An exclusive lock among all processes that use the database; ends with the object.
class StoreLock {
 public:
  virtual ~StoreLock() = default;

  /// False once the lock is lost, for example with the connection. May block.
  virtual bool held() = 0;
};

/// The database. Calls block; safe from any thread. Every call may fail with `unavailable` (connection lost,
/// serialization failure, disk full): nothing of the call was committed, or it was and repeating it is
/// harmless.
class Store {
 public:
  virtual ~Store() = default;

  /// Inserts the coupon and returns it with its revision, and with an id when it came without one: the
  /// smallest number above every numeric id there is. Errors: already_exists.
  virtual Result<Coupon> create_coupon(Coupon coupon) = 0;

  /// Errors: not_found.
  virtual Result<Coupon> coupon(const std::string& id) = 0;

  /// Changes a coupon under its row lock: `change` edits the present row and may refuse with an error, which
  /// is returned and leaves the row alone. On success the row is committed with a new revision. `change` may
  /// run more than once. Errors: not_found, and those of `change`.
  virtual Result<Coupon> update_coupon(const std::string& id,
                                       const std::function<Result<void>(Coupon&)>& change) = 0;

  /// Coupons with a revision above `after`, in revision order, at most `limit`.
  virtual Result<std::vector<Coupon>> coupons_since(std::int64_t after, std::size_t limit) = 0;

  /// Coupons in order of id, those above `after_id` ("" for the first page), at most `limit`.
  virtual Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) = 0;

  /// Saves rows and positions in one transaction, in which no coupon named in `epochs` can change its epoch.
  /// A (coupon, user) that is there already is left alone; a (coupon, sequence) that another user holds is
  /// `rejected`, and so is anything else the database will never take.
  virtual Result<SaveOutcome> save(const SaveBatch& batch) = 0;

  /// Positions of the group in the topic; a partition never saved is not in the list.
  virtual Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) = 0;

  /// A user's rows, newest first, at most `limit`.
  virtual Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) = 0;

  /// Holders of a coupon in order of sequence, those above `after_sequence`, at most `limit`.
  virtual Result<std::vector<Holder>> holders(const std::string& coupon_id, std::int64_t after_sequence,
                                              std::size_t limit) = 0;

  /// Those of `users` who hold the coupon, in any order.
  virtual Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                                    std::span<const std::string> users) = 0;

  /// Writes down what a process remembers of a coupon that is under recovery in `epoch`; repeating it is
  /// harmless. False, and nothing written, when no recovery in that epoch is under way.
  virtual Result<bool> testify(const std::string& coupon_id, std::int64_t epoch,
                               std::span<const KnownClaim> claims) = 0;

  /// What all processes have written down of a coupon.
  virtual Result<std::vector<KnownClaim>> testimony(const std::string& coupon_id) = 0;

  /// Forgets it, unless the coupon is not open in `epoch`: then it is the next recovery's.
  virtual Result<void> forget_testimony(const std::string& coupon_id, std::int64_t epoch) = 0;

  /// The lock of that name, or nothing while somebody else has it.
  virtual Result<std::unique_ptr<StoreLock>> try_lock(const std::string& name) = 0;

  /// Whether the database answers.
  virtual Result<void> check() = 0;
};

}  // namespace seonchak
