#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ports/event_log.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct RecoveryTailOptions {
  std::size_t records_max = 10'000;         ///< in a part
  std::chrono::milliseconds wait{50};       ///< for a part: other coupons' recoveries go on in between
  std::chrono::milliseconds stall{10'000};  ///< without any progress; how much there is to read has no limit
  /// Of a coupon; of what comes beyond them only what the store has no row of is kept. (The position may be
  /// far behind what is saved: it stays before a record that waits.)
  std::size_t claims_max = 100'000;
};

/// What the log has of some coupons and no consumer has saved or kept as a late claim: read once for all of
/// them, part by part, from the highest position of any group to the end that the log has when the reading
/// begins. Used from one thread.
class RecoveryTail {
 public:
  RecoveryTail(Store& store, EventLogTail& log, RecoveryTailOptions options)
      : store_(store), log_(log), options_(options) {}

  /// Begins a reading for these coupons, each of which is fenced and past its grace, and ends the one before.
  /// Errors: unavailable.
  Result<void> begin(std::span<const CouponEpoch> fenced);

  bool reading() const { return reading_; }
  /// Whether it began after that fence.
  bool serves(const CouponEpoch& fenced) const;

  enum class Read { nothing, some, all };

  /// Reads a part. An error when the log has handed out nothing for too long; the reading has ended then.
  Result<Read> read();

  /// What was found of a coupon; once.
  std::vector<KnownClaim> take(const std::string& coupon_id);

  /// Planted: the end of the readings to come is the one of now, before any fence.
  void look_too_early();

  /// Ends a reading.
  void stop();

 private:
  void keep(std::vector<IssuedEvent> events);
  void leave_out_saved(const std::string& coupon_id, std::vector<KnownClaim>& claims);

  Store& store_;
  EventLogTail& log_;
  const RecoveryTailOptions options_;
  bool reading_ = false;
  std::vector<LogPosition> ends_;
  std::optional<std::vector<LogPosition>> early_ends_;  // failpoint
  struct Found {
    Epoch epoch = 0;  // of the fence that the reading began after
    std::vector<KnownClaim> claims;
  };
  std::unordered_map<std::string, Found> found_;  // by coupon served
  std::chrono::steady_clock::time_point moved_{};
};

}  // namespace seonchak
