#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/mutex.hpp"
#include "core/ports/lease_table.hpp"
#include "core/ports/store.hpp"

namespace seonchak::sim {

/// A store in memory, for the simulator; the store's contract tests hold it to what SQLite and PostgreSQL do.
/// It outlives simulated processes, not the program.
class MemoryStore final : public Store {
 public:
  Result<Coupon> create_coupon(Coupon coupon) override;
  Result<Coupon> coupon(const std::string& id) override;
  Result<Coupon> update_coupon(const std::string& id,
                               const std::function<Result<void>(Coupon&)>& change) override;
  Result<FencedCoupons> fence_coupons(std::span<const CouponFence> fences) override;
  Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override;
  Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) override;
  Result<CouponTotals> coupon_totals() override;
  Result<SaveOutcome> save(const SaveBatch& batch) override;
  Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) override;
  Result<std::vector<LogPosition>> highest_positions(const std::string& topic) override;
  Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) override;
  Result<std::vector<Holder>> holders(const std::string& coupon_id, Sequence after_sequence,
                                      std::size_t limit) override;
  Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                            std::span<const std::string> users) override;
  Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch,
                               const std::string& process) override;
  Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                              std::span<const KnownClaim> claims) override;
  Result<void> end_recording(const std::string& coupon_id, Epoch epoch, const std::string& process) override;
  Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch) override;
  Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id) override;
  Result<std::int64_t> recorded_claim_count(const std::string& coupon_id) override;
  Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch) override;
  Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                              std::size_t limit) override;
  Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id,
                                                            std::size_t limit) override;
  Result<void> forget_late_claims(const std::string& coupon_id, std::span<const KnownClaim> claims) override;
  Result<LeaseRow> read_lease(const std::string& name) override;
  Result<std::optional<std::int64_t>> take_lease(const std::string& name, const LeaseRow& seen,
                                                 const std::string& holder) override;
  Result<bool> beat_lease(const std::string& name, std::int64_t token) override;
  Result<void> release_lease(const std::string& name, std::int64_t token) override;
  Result<void> check() override { return {}; }

 private:
  using Position = std::tuple<std::string, std::string, std::int32_t>;  // group, topic, partition
  struct Rows {
    std::map<std::string, Holder> by_user;
    std::map<Sequence, std::string> users;  // by sequence
  };
  /// In the order of late claims, and without a second one that differs only in its time.
  struct ByKey {
    bool operator()(const KnownClaim& a, const KnownClaim& b) const {
      return std::tie(a.holder.sequence, a.epoch, a.holder.user_id) <
             std::tie(b.holder.sequence, b.epoch, b.holder.user_id);
    }
  };
  using Claims = std::set<KnownClaim, ByKey>;
  using RecordingKey = std::tuple<std::string, Epoch, std::string>;  // coupon, epoch, process

  std::optional<std::map<Position, std::int64_t>> moved(const SaveBatch& batch) const REQUIRES(mutex_);
  bool epochs_match(const SaveBatch& batch) const REQUIRES(mutex_);
  bool recovered_in(const std::string& coupon_id, Epoch epoch) const REQUIRES(mutex_);
  Result<void> insert(const SaveBatch& batch) REQUIRES(mutex_);

  Revision next_revision() REQUIRES(mutex_);

  Mutex coupon_mutex_;  // stands for the locks of coupon rows; before mutex_
  Mutex mutex_;
  std::map<std::string, Coupon> coupons_ GUARDED_BY(mutex_);
  Revision revision_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, Rows> rows_ GUARDED_BY(mutex_);  // by coupon
  std::map<Position, std::int64_t> positions_ GUARDED_BY(mutex_);
  std::map<Position, std::string> fingerprints_ GUARDED_BY(mutex_);
  std::map<std::string, Claims> recorded_ GUARDED_BY(mutex_);           // by coupon
  std::map<RecordingKey, std::int64_t> recordings_ GUARDED_BY(mutex_);  // pieces
  std::map<std::string, Claims> late_claims_ GUARDED_BY(mutex_);        // by coupon; no empty value
  LeaseTable leases_;
};

}  // namespace seonchak::sim
