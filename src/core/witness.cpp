#include "core/witness.hpp"

#include <algorithm>
#include <utility>

namespace seonchak {

void Witness::issued(const std::string& coupon_id, std::int64_t epoch, std::vector<Holder> holders) {
  if (holders.empty()) return;
  const MutexLock lock(mutex_);
  add(coupon_id, {epoch, std::move(holders)});
}

void Witness::already_issued(const std::string& coupon_id, std::int64_t epoch, const Holder& holder) {
  const MutexLock lock(mutex_);
  if (!told_again_.emplace(coupon_id, epoch, holder.sequence).second) return;
  add(coupon_id, {epoch, {holder}, true});
}

void Witness::add(const std::string& coupon_id, Chunk chunk) {
  size_ += chunk.holders.size();
  coupons_[coupon_id].push_back(std::move(chunk));
  while (size_ > holders_max_) forget_oldest();
}

void Witness::drop(const std::string& coupon_id, const Chunk& chunk) {
  size_ -= chunk.holders.size();
  if (chunk.told_again) told_again_.erase({coupon_id, chunk.epoch, chunk.holders.front().sequence});
}

void Witness::forget_oldest() {
  const auto longest =
      std::ranges::max_element(coupons_, {}, [](const auto& coupon) { return coupon.second.size(); });
  drop(longest->first, longest->second.front());
  longest->second.pop_front();
  if (longest->second.empty()) coupons_.erase(longest);
}

template <class Done>
void Witness::forget_if(const std::string& coupon_id, Done done) {
  const MutexLock lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end()) return;
  // Chunks of several event loops interleave, so any of them may be done with.
  std::erase_if(found->second, [&](const Chunk& chunk) REQUIRES(mutex_) {
    if (!done(chunk)) return false;
    drop(coupon_id, chunk);
    return true;
  });
  if (found->second.empty()) coupons_.erase(found);
}

void Witness::persisted(const std::string& coupon_id, std::int64_t epoch, std::int64_t sequence) {
  forget_if(coupon_id, [&](const Chunk& chunk) {
    return chunk.epoch == epoch && chunk.holders.back().sequence <= sequence;
  });
}

void Witness::forget_before(const std::string& coupon_id, std::int64_t epoch) {
  forget_if(coupon_id, [&](const Chunk& chunk) { return chunk.epoch < epoch; });
}

std::vector<std::string> Witness::coupons() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> ids;
  ids.reserve(coupons_.size());
  for (const auto& [id, chunks] : coupons_) ids.push_back(id);
  return ids;
}

std::vector<KnownClaim> Witness::claims(const std::string& coupon_id, std::int64_t before) const {
  const MutexLock lock(mutex_);
  std::vector<KnownClaim> claims;
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end()) return claims;
  for (const Chunk& chunk : found->second) {
    if (chunk.epoch >= before) continue;
    for (const Holder& holder : chunk.holders) claims.push_back({holder, chunk.epoch});
  }
  return claims;
}

void Witness::doubt(const std::string& coupon_id, std::int64_t epoch, std::int64_t sequence_seen) {
  const MutexLock lock(mutex_);
  Doubt& doubt = doubts_[coupon_id];
  if (epoch < doubt.epoch) return;
  if (epoch > doubt.epoch) doubt = {epoch, 0};
  doubt.sequence_seen = std::max(doubt.sequence_seen, sequence_seen);
}

std::map<std::string, Witness::Doubt> Witness::take_doubts() {
  const MutexLock lock(mutex_);
  return std::exchange(doubts_, {});
}

std::size_t Witness::size() const {
  const MutexLock lock(mutex_);
  return size_;
}

}  // namespace seonchak
