#include "core/chain/outbox_sweep.hpp"

#include <algorithm>
#include <utility>

#include "base/ticker.hpp"

namespace seonchak {

void OutboxSweep::restart() {
  round_.clear();
  first_round_ = true;
  round_began_ = {};
  due_ = {};
}

void OutboxSweep::begin_round(const CatalogSnapshot& catalog) {
  std::vector<std::string> closed;
  std::unordered_set<Revision> still;
  for (const auto& [id, coupon] : catalog.coupons()) {
    if (coupon->phase() == Phase::unopened) continue;
    if (closed_and_empty_.contains(coupon->revision)) {
      still.insert(coupon->revision);
    } else {
      (coupon->closed ? closed : round_).push_back(id);
    }
  }
  closed_and_empty_ = std::move(still);
  round_.insert(round_.begin(), closed.begin(), closed.end());
}

Result<std::vector<std::string>> OutboxSweep::step(const CatalogSnapshot& catalog) {
  std::vector<std::string> found;
  const auto time = ticker().now();
  if (time < due_) return found;
  if (round_.empty()) {
    if (std::exchange(round_began_, time) != decltype(time){}) first_round_ = false;
    begin_round(catalog);
  }
  const std::size_t count = std::min(round_.size(), options_.coupons_per_look);
  const std::span<const std::string> ids(round_.end() - static_cast<std::ptrdiff_t>(count), round_.end());
  if (count > 0) {
    std::vector<Watermark> from_start;
    for (const std::string& id : ids) from_start.push_back({id, 0, 0});
    const auto read = outbox_.read(from_start, 1, std::chrono::milliseconds(0));
    if (!read) return read.error();
    std::unordered_set<std::string_view> not_empty;
    for (const OutboxEntry& entry : read->entries) {
      if (not_empty.insert(entry.coupon_id).second) found.push_back(entry.coupon_id);
    }
    for (const CouponFailure& failure : read->failed) not_empty.insert(failure.coupon_id);
    for (const std::string& id : ids) {
      const auto coupon = catalog.find(id);
      if (coupon && coupon->closed && !not_empty.contains(id)) closed_and_empty_.insert(coupon->revision);
    }
    round_.resize(round_.size() - count);
  }
  due_ = time + (first_round_ ? options_.first_period : options_.period);
  if (round_.empty()) due_ = std::max(due_, round_began_ + options_.round_min);
  return found;
}

}  // namespace seonchak
