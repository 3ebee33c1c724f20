#include "core/recovery/tail.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/failpoint.hpp"
#include "base/ticker.hpp"

namespace seonchak {

// The positions come first: an event is above them, or its row or late claim is committed by now.
Result<void> RecoveryTail::begin(std::span<const CouponEpoch> fenced) {
  stop();
  auto positions = store_.highest_positions(log_.topic());
  if (failpoint("tail_from_end")) positions = log_.ends();
  if (!positions) return positions.error();
  if (auto started = log_.start(*positions); !started) return started;
  reading_ = true;
  auto ends = log_.ends();
  if (early_ends_) ends = *early_ends_;
  if (!ends) {
    stop();
    return ends.error();
  }
  ends_ = std::move(*ends);
  for (const auto& [id, epoch] : fenced) found_[id].epoch = epoch;
  moved_ = ticker().now();
  return {};
}

void RecoveryTail::look_too_early() {
  if (auto ends = log_.ends()) early_ends_ = std::move(*ends);
}

Result<RecoveryTail::Read> RecoveryTail::read() {
  auto part = log_.read(ends_, options_.records_max, options_.wait);
  const auto now = ticker().now();
  if (part && (part->advanced || part->at_end)) {
    moved_ = now;
    keep(std::move(part->events));
    if (!part->at_end) return Read::some;
    reading_ = false;
    log_.stop();
    return Read::all;
  }
  if (now - moved_ < options_.stall) return Read::nothing;
  stop();
  if (!part) return part.error();
  return Error{Errc::unavailable, "the log does not hand out what lies before its end"};
}

void RecoveryTail::keep(std::vector<IssuedEvent> events) {
  std::unordered_map<std::string, std::vector<KnownClaim>> beyond;
  for (IssuedEvent& event : events) {
    const auto ours = found_.find(event.coupon_id);
    if (ours == found_.end() || event.epoch == 0) continue;
    KnownClaim claim{{std::move(event.user_id), event.sequence, event.issued_at}, event.epoch};
    auto& claims = ours->second.claims;
    (claims.size() < options_.claims_max ? claims : beyond[event.coupon_id]).push_back(std::move(claim));
  }
  for (auto& [coupon_id, claims] : beyond) {
    leave_out_saved(coupon_id, claims);
    std::ranges::move(claims, std::back_inserter(found_.at(coupon_id).claims));
  }
}

// The fence is before this: who has a row has it for good, and is left out of the union in any case.
void RecoveryTail::leave_out_saved(const std::string& coupon_id, std::vector<KnownClaim>& claims) {
  std::vector<std::string> users;
  for (const KnownClaim& claim : claims) users.push_back(claim.holder.user_id);
  const auto rows = store_.holders_among(coupon_id, users);
  if (!rows) return;
  std::unordered_set<std::string_view> saved;
  for (const Holder& row : *rows) saved.insert(row.user_id);
  std::erase_if(claims, [&](const KnownClaim& claim) { return saved.contains(claim.holder.user_id); });
}

bool RecoveryTail::serves(const CouponEpoch& fenced) const {
  const auto found = found_.find(fenced.coupon_id);
  return found != found_.end() && found->second.epoch == fenced.epoch;
}

std::vector<KnownClaim> RecoveryTail::take(const std::string& coupon_id) {
  const auto found = found_.find(coupon_id);
  if (found == found_.end()) return {};
  auto claims = std::move(found->second.claims);
  found_.erase(found);
  return claims;
}

void RecoveryTail::stop() {
  if (std::exchange(reading_, false)) log_.stop();
  found_.clear();
  ends_.clear();
}

}  // namespace seonchak
