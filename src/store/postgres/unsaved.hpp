#pragma once
#include "core/ports/store.hpp"
#include "store/postgres/pool.hpp"

namespace seonchak {

/// The store's unsaved claims on PostgreSQL: recorded claims with their recordings, and late claims. Each
/// call is one round trip. Safe from any thread.
class PostgresUnsaved {
 public:
  explicit PostgresUnsaved(PostgresPool& pool) : pool_(pool) {}

  Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch, const std::string& process);
  Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                              std::span<const KnownClaim> claims);
  Result<void> end_recording(const std::string& coupon_id, Epoch epoch, const std::string& process);
  Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch);
  Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id);
  Result<std::int64_t> recorded_claim_count(const std::string& coupon_id);
  Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch);

  Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                              std::int64_t limit);
  Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id, std::int64_t limit);
  Result<void> forget_late_claims(const std::string& coupon_id, std::span<const KnownClaim> claims);

 private:
  PostgresPool& pool_;
};

}  // namespace seonchak
