#include "core/admin/unsaved_coupons.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/invariant.hpp"
#include "base/ticker.hpp"
#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

/// Nobody gets this coupon any more as long as the store's row is as it is. A window that has ended by the
/// gate's clock must have ended by ours: a clock that jumped comes back.
bool is_over(const Coupon& coupon, const GateState& state) {
  if (!coupon.is_open() || !has_exactly(state, coupon)) return false;
  if (state.closed || state.issued >= state.stock) return true;
  return decide(state, false) == Decision::closed && state.closes_at <= ticker().wall();
}

}  // namespace

UnsavedCoupons::UnsavedCoupons(GateControl& gate, Catalog& catalog, UnsavedCouponsOptions options)
    : gate_(gate), catalog_(catalog), options_(options) {}

std::vector<std::string> UnsavedCoupons::list(std::span<const std::string> first) {
  look();
  std::vector<std::string> ids;
  std::unordered_set<std::string_view> seen;
  for (const std::string& id : first) {
    if (ids.size() < options_.listed_max && seen.insert(id).second) ids.push_back(id);
  }
  const MutexLock lock(mutex_);
  for (const auto& coupon : unsaved_) {
    if (ids.size() >= options_.listed_max) break;
    if (!seen.contains(coupon->id)) ids.push_back(coupon->id);
  }
  return ids;
}

void UnsavedCoupons::bring_up_to_date() {
  const std::uint64_t version = catalog_.version();
  if (version == version_) return;
  version_ = version;
  unsaved_.clear();
  TextMap<Revision> saved;
  const auto snapshot = catalog_.snapshot();
  for (const auto& [id, coupon] : snapshot->coupons()) {
    if (coupon->phase() == Phase::unopened) continue;
    const auto known = saved_.find(id);
    if (known != saved_.end() && known->second == coupon->revision) {
      saved.emplace(id, coupon->revision);
    } else {
      unsaved_.push_back(coupon);
    }
  }
  saved_ = std::move(saved);
  std::ranges::sort(unsaved_, std::greater(), [](const auto& coupon) { return coupon->revision; });
}

/// Taking turns from the oldest on: those are the likeliest to be over.
UnsavedCoupons::Coupons UnsavedCoupons::to_look_at() {
  const MutexLock lock(mutex_);
  bring_up_to_date();
  Coupons coupons;
  const auto now = ticker().now();
  if (now < next_look_ || unsaved_.empty()) return coupons;
  next_look_ = now + options_.look_period;
  const std::size_t count = std::min(unsaved_.size(), options_.looked_at_max);
  for (std::size_t i = 0; i < count; ++i)
    coupons.push_back(unsaved_[unsaved_.size() - 1 - (turn_ + i) % unsaved_.size()]);
  turn_ = (turn_ + count) % unsaved_.size();
  return coupons;
}

void UnsavedCoupons::look() {
  const Coupons coupons = to_look_at();
  if (coupons.empty()) return;
  std::vector<std::string> ids;
  for (const auto& coupon : coupons) ids.push_back(coupon->id);
  const auto states = gate_.states(ids);
  invariant(states.size() == ids.size(), one_answer_each);
  const MutexLock lock(mutex_);
  std::size_t over = 0;
  for (std::size_t i = 0; i < coupons.size(); ++i) {
    const auto& state = states[i];
    if (!state || !is_over(*coupons[i], *state) || state->persisted < state->sequence) continue;
    saved_.insert_or_assign(coupons[i]->id, coupons[i]->revision);
    ++over;
  }
  if (over == 0) return;
  std::erase_if(unsaved_, [&](const auto& coupon) REQUIRES(mutex_) {
    const auto known = saved_.find(coupon->id);
    return known != saved_.end() && known->second == coupon->revision;
  });
}

}  // namespace seonchak
