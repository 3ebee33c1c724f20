#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

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
  Result<std::vector<Coupon>> coupons_since(std::int64_t after, std::size_t limit) override;
  Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) override;
  Result<SaveOutcome> save(const SaveBatch& batch) override;
  Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) override;
  Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) override;
  Result<std::vector<Holder>> holders(const std::string& coupon_id, std::int64_t after_sequence,
                                      std::size_t limit) override;
  Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                            std::span<const std::string> users) override;
  Result<bool> testify(const std::string& coupon_id, std::int64_t epoch,
                       std::span<const KnownClaim> claims) override;
  Result<std::vector<KnownClaim>> testimony(const std::string& coupon_id) override;
  Result<void> forget_testimony(const std::string& coupon_id, std::int64_t epoch) override;
  Result<std::unique_ptr<StoreLock>> try_lock(const std::string& name) override;
  Result<void> check() override { return {}; }

 private:
  using Position = std::tuple<std::string, std::string, std::int32_t>;  // group, topic, partition
  struct Rows {
    std::map<std::string, Holder> by_user;
    std::map<std::int64_t, std::string> users;  // by sequence
  };
  using Testimony = std::set<std::tuple<std::string, std::int64_t, std::int64_t, Time>>;
  class Lock;

  std::optional<std::map<Position, std::int64_t>> moved(const SaveBatch& batch) const;
  bool epochs_match(const SaveBatch& batch) const;
  Result<void> insert(const SaveBatch& batch);

  std::mutex coupon_mutex_;  // stands for the locks of coupon rows; before mutex_
  std::mutex mutex_;
  // Guarded by mutex_:
  std::map<std::string, Coupon> coupons_;
  std::int64_t revision_ = 0;
  std::map<std::string, Rows> rows_;  // by coupon
  std::map<Position, std::int64_t> positions_;
  std::map<std::string, Testimony> testimony_;  // by coupon
  std::set<std::string> locks_;
};

}  // namespace seonchak::sim
