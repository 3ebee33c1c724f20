#include "core/claims/unsaved_claims.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"

namespace seonchak {

void UnsavedClaims::issued(const std::string& coupon_id, Epoch epoch, std::vector<Holder> holders) {
  if (holders.empty()) return;
  const MutexLock lock(mutex_);
  add(coupon_id, {epoch, std::move(holders)});
}

void UnsavedClaims::already_issued(const std::string& coupon_id, Epoch epoch, const Holder& holder) {
  const MutexLock lock(mutex_);
  if (!told_again_.emplace(coupon_id, epoch, holder.sequence).second) return;
  add(coupon_id, {epoch, {holder}, true});
}

void UnsavedClaims::add(const std::string& coupon_id, Chunk chunk) {
  invariant(!chunk.holders.empty() && chunk.holders.front().sequence <= chunk.holders.back().sequence,
            "a chunk has holders, in order of sequence");
  size_ += chunk.holders.size();
  chunk.place = ++last_place_;
  Remembered& remembered = coupons_[coupon_id];
  ++remembered.epochs[chunk.epoch];
  remembered.chunks.push_back(std::move(chunk));
  while (size_ > holders_max_) forget_oldest();
}

void UnsavedClaims::drop(const std::string& coupon_id, Remembered& remembered, const Chunk& chunk) {
  const auto epoch = remembered.epochs.find(chunk.epoch);
  invariant(epoch != remembered.epochs.end() && size_ >= chunk.holders.size(), "what is dropped was counted");
  size_ -= chunk.holders.size();
  if (chunk.told_again) told_again_.erase({coupon_id, chunk.epoch, chunk.holders.front().sequence});
  if (--epoch->second == 0) remembered.epochs.erase(epoch);
}

void UnsavedClaims::forget_oldest() {
  const auto longest =
      std::ranges::max_element(coupons_, {}, [](const auto& coupon) { return coupon.second.chunks.size(); });
  invariant(longest != coupons_.end() && !longest->second.chunks.empty(),
            "what is too much can be forgotten");
  Remembered& remembered = longest->second;
  drop(longest->first, remembered, remembered.chunks.front());
  remembered.chunks.pop_front();
  if (remembered.chunks.empty()) coupons_.erase(longest);
}

template <class Done>
void UnsavedClaims::forget_if(const std::string& coupon_id, Done done) {
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end()) return;
  Remembered& remembered = found->second;
  // Chunks of several event loops interleave, so any of them may be done with.
  std::erase_if(remembered.chunks, [&](const Chunk& chunk) REQUIRES(mutex_) {
    if (!done(chunk)) return false;
    drop(coupon_id, remembered, chunk);
    return true;
  });
  if (remembered.chunks.empty()) coupons_.erase(found);
}

void UnsavedClaims::persisted(const std::string& coupon_id, Epoch epoch, Sequence sequence) {
  const MutexLock lock(mutex_);
  forget_if(coupon_id, [&](const Chunk& chunk) {
    return chunk.epoch == epoch && chunk.holders.back().sequence <= sequence;
  });
}

void UnsavedClaims::forget(const std::string& coupon_id, Epoch epoch, std::uint64_t last) {
  const MutexLock lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end() || !found->second.has_before(epoch)) return;
  forget_if(coupon_id, [&](const Chunk& chunk) { return chunk.epoch < epoch && chunk.place <= last; });
}

std::vector<std::string> UnsavedClaims::coupons() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> ids;
  ids.reserve(coupons_.size());
  for (const auto& [id, remembered] : coupons_) ids.push_back(id);
  return ids;
}

UnsavedClaims::Page UnsavedClaims::claims(const std::string& coupon_id, std::uint64_t after, Epoch before,
                                          std::size_t claims_max) const {
  Page page{{}, after};
  const MutexLock lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end() || !found->second.has_before(before)) return page;
  const auto& chunks = found->second.chunks;
  for (auto it = std::ranges::upper_bound(chunks, after, {}, &Chunk::place); it != chunks.end(); ++it) {
    if (it->epoch >= before) continue;
    if (page.claims.size() >= claims_max) break;
    for (const Holder& holder : it->holders) page.claims.push_back({holder, it->epoch});
    page.last = it->place;
  }
  return page;
}

void UnsavedClaims::doubt(const std::string& coupon_id, Epoch epoch, Sequence sequence_seen) {
  const MutexLock lock(mutex_);
  Doubt& doubt = doubts_[coupon_id];
  if (epoch < doubt.epoch) return;
  if (epoch > doubt.epoch) doubt = {epoch, 0};
  doubt.sequence_seen = std::max(doubt.sequence_seen, sequence_seen);
}

std::map<std::string, UnsavedClaims::Doubt> UnsavedClaims::take_doubts() {
  const MutexLock lock(mutex_);
  return std::exchange(doubts_, {});
}

std::size_t UnsavedClaims::size() const {
  const MutexLock lock(mutex_);
  return size_;
}

}  // namespace seonchak
