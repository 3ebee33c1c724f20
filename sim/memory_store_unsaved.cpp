#include "sim/memory_store.hpp"

namespace seonchak::sim {

bool MemoryStore::recovered_in(const std::string& coupon_id, Epoch epoch) const {
  const auto row = coupons_.find(coupon_id);
  return row != coupons_.end() && row->second.epoch == epoch && row->second.settled != epoch;
}

Result<bool> MemoryStore::begin_recording(const std::string& coupon_id, Epoch epoch,
                                          const std::string& process) {
  const MutexLock guard(mutex_);
  if (!recovered_in(coupon_id, epoch)) return false;
  recordings_.try_emplace({coupon_id, epoch, process}, 0);
  return true;
}

Result<bool> MemoryStore::record_unsaved(const std::string& coupon_id, Epoch epoch,
                                         const std::string& process, std::span<const KnownClaim> claims) {
  if (auto fits = fits_a_piece(claims); !fits) return fits.error();
  const MutexLock coupons(coupon_mutex_);
  const MutexLock guard(mutex_);
  if (!recovered_in(coupon_id, epoch)) return false;
  recorded_[coupon_id].insert(claims.begin(), claims.end());
  const auto recording = recordings_.find({coupon_id, epoch, process});
  if (recording != recordings_.end()) ++recording->second;
  return true;
}

Result<void> MemoryStore::end_recording(const std::string& coupon_id, Epoch epoch,
                                        const std::string& process) {
  const MutexLock guard(mutex_);
  recordings_.erase({coupon_id, epoch, process});
  return {};
}

Result<std::vector<Recording>> MemoryStore::recordings(const std::string& coupon_id, Epoch epoch) {
  std::vector<Recording> found;
  const MutexLock guard(mutex_);
  for (const auto& [key, pieces] : recordings_) {
    const auto& [coupon, in_epoch, process] = key;
    if (coupon == coupon_id && in_epoch == epoch) found.push_back({process, pieces});
  }
  return found;
}

Result<std::vector<KnownClaim>> MemoryStore::recorded_claims(const std::string& coupon_id) {
  const MutexLock guard(mutex_);
  const auto heard = recorded_.find(coupon_id);
  if (heard == recorded_.end()) return std::vector<KnownClaim>();
  return std::vector<KnownClaim>(heard->second.begin(), heard->second.end());
}

Result<std::int64_t> MemoryStore::recorded_claim_count(const std::string& coupon_id) {
  const MutexLock guard(mutex_);
  const auto heard = recorded_.find(coupon_id);
  return heard == recorded_.end() ? 0 : static_cast<std::int64_t>(heard->second.size());
}

Result<void> MemoryStore::forget_recorded(const std::string& coupon_id, Epoch epoch) {
  const MutexLock coupons(coupon_mutex_);
  const MutexLock guard(mutex_);
  const auto row = coupons_.find(coupon_id);
  if (row == coupons_.end() || row->second.epoch != epoch || row->second.settled != epoch) return {};
  recorded_.erase(coupon_id);
  std::erase_if(recordings_,
                [&](const auto& recording) { return std::get<0>(recording.first) == coupon_id; });
  return {};
}

Result<std::vector<KnownClaim>> MemoryStore::late_claims(const std::string& coupon_id,
                                                         const KnownClaim& after, std::size_t limit) {
  std::vector<KnownClaim> found;
  const MutexLock guard(mutex_);
  const auto claims = late_claims_.find(coupon_id);
  if (claims == late_claims_.end()) return found;
  for (auto it = claims->second.upper_bound(after); it != claims->second.end() && found.size() < limit;
       ++it) {
    found.push_back(*it);
  }
  return found;
}

Result<std::vector<std::string>> MemoryStore::coupons_with_late_claims(const std::string& after_id,
                                                                       std::size_t limit) {
  std::vector<std::string> found;
  const MutexLock guard(mutex_);
  for (auto it = late_claims_.upper_bound(after_id); it != late_claims_.end() && found.size() < limit; ++it) {
    found.push_back(it->first);
  }
  return found;
}

Result<void> MemoryStore::forget_late_claims(const std::string& coupon_id,
                                             std::span<const KnownClaim> claims) {
  if (auto fits = fits_a_piece(claims); !fits) return fits;
  const MutexLock guard(mutex_);
  const auto found = late_claims_.find(coupon_id);
  if (found == late_claims_.end()) return {};
  for (const KnownClaim& claim : claims) found->second.erase(claim);
  if (found->second.empty()) late_claims_.erase(found);
  return {};
}

Result<LeaseRow> MemoryStore::read_lease(const std::string& name) {
  return leases_.read(name);
}

Result<std::optional<std::int64_t>> MemoryStore::take_lease(const std::string& name, const LeaseRow& seen,
                                                            const std::string& holder) {
  return leases_.take(name, seen, holder);
}

Result<bool> MemoryStore::beat_lease(const std::string& name, std::int64_t token) {
  return leases_.beat(name, token);
}

Result<void> MemoryStore::release_lease(const std::string& name, std::int64_t token) {
  leases_.release(name, token);
  return {};
}

}  // namespace seonchak::sim
