#include "sim/memory_store.hpp"

#include <algorithm>

#include "base/failpoint.hpp"
#include "base/ticker.hpp"

namespace seonchak::sim {

namespace {

constexpr std::size_t numeric_digits_max = 18;

Error not_found(const std::string& id) {
  return {Errc::not_found, "there is no coupon " + id};
}

Result<void> check_row(const Coupon& coupon) {
  if (coupon.stock >= 1 && coupon.stock <= stock_max) return {};
  return Error{Errc::rejected, "the stock of coupon " + coupon.id + " is out of range"};
}

bool numeric(const std::string& id) {
  return !id.empty() && id.size() <= numeric_digits_max &&
         std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Revision MemoryStore::next_revision() {
  return revision_ = std::max(revision_ + 1, Revision(to_millis(ticker().wall())));
}

Result<Coupon> MemoryStore::create_coupon(Coupon coupon) {
  const MutexLock coupons(coupon_mutex_);
  const MutexLock guard(mutex_);
  if (auto fine = check_row(coupon); !fine) return fine.error();
  if (coupon.id.empty()) {
    std::int64_t highest = 0;
    for (const auto& [id, row] : coupons_) {
      if (numeric(id)) highest = std::max<std::int64_t>(highest, std::stoll(id));
    }
    coupon.id = std::to_string(highest + 1);
  }
  if (coupons_.contains(coupon.id)) return Error{Errc::already_exists, "coupon " + coupon.id + " exists"};
  coupon.revision = next_revision();
  coupons_.emplace(coupon.id, coupon);
  return coupon;
}

Result<Coupon> MemoryStore::coupon(const std::string& id) {
  const MutexLock guard(mutex_);
  const auto found = coupons_.find(id);
  if (found == coupons_.end()) return not_found(id);
  return found->second;
}

Result<Coupon> MemoryStore::update_coupon(const std::string& id,
                                          const std::function<Result<void>(Coupon&)>& change) {
  const MutexLock coupons(coupon_mutex_);
  const auto before = coupon(id);
  if (!before) return before.error();
  Coupon after = *before;
  if (const auto changed = change(after); !changed) return changed.error();
  after.id = before->id;
  after.created_at = before->created_at;
  if (auto fine = check_row(after); !fine) return fine.error();
  const MutexLock guard(mutex_);
  after.revision = revision_ = std::max(after.revision, next_revision());
  coupons_[id] = after;
  return after;
}

Result<FencedCoupons> MemoryStore::fence_coupons(std::span<const CouponFence> fences) {
  FencedCoupons fenced;
  const MutexLock coupons(coupon_mutex_);
  const MutexLock guard(mutex_);
  for (const CouponFence& fence : fences) {
    const auto found = coupons_.find(fence.coupon_id);
    if (found == coupons_.end()) continue;
    Coupon& row = found->second;
    const bool as_seen = row.epoch == fence.seen_epoch && row.gate == fence.seen_gate;
    if (!as_seen && !failpoint("fence_anyway")) continue;
    row.epoch = fence.epoch;
    row.gate = fence.gate;
    row.revision = next_revision();
    fenced.changed.push_back(row);
  }
  return fenced;
}

Result<std::vector<Coupon>> MemoryStore::coupons_since(Revision after, std::size_t limit) {
  std::vector<Coupon> found;
  const MutexLock guard(mutex_);
  for (const auto& [id, row] : coupons_) {
    if (row.revision > after) found.push_back(row);
  }
  std::ranges::sort(found, {}, &Coupon::revision);
  if (found.size() > limit) found.resize(limit);
  return found;
}

Result<std::vector<Coupon>> MemoryStore::list_coupons(const std::string& after_id, std::size_t limit) {
  std::vector<Coupon> found;
  const MutexLock guard(mutex_);
  for (auto it = coupons_.upper_bound(after_id); it != coupons_.end() && found.size() < limit; ++it) {
    found.push_back(it->second);
  }
  return found;
}

Result<CouponTotals> MemoryStore::coupon_totals() {
  CouponTotals totals;
  const MutexLock guard(mutex_);
  for (const auto& [id, row] : coupons_) {
    ++totals.count;
    totals.revision_max = std::max(totals.revision_max, row.revision);
    totals.checksum += revision_checksum(row.revision);
  }
  return totals;
}

// Nothing when another member has moved a position.
std::optional<std::map<MemoryStore::Position, std::int64_t>> MemoryStore::moved(
    const SaveBatch& batch) const {
  auto positions = positions_;
  for (const PositionChange& change : batch.positions) {
    const auto [found, added] = positions.try_emplace({batch.group, batch.topic, change.partition}, 0);
    if (found->second != change.expected) return std::nullopt;
    found->second = change.next;
  }
  return positions;
}

bool MemoryStore::epochs_match(const SaveBatch& batch) const {
  return std::ranges::all_of(batch.epochs, [&](const CouponEpoch& expected) REQUIRES(mutex_) {
    const auto found = coupons_.find(expected.coupon_id);
    return found != coupons_.end() && found->second.epoch == expected.epoch;
  });
}

Result<void> MemoryStore::insert(const SaveBatch& batch) {
  std::vector<const IssuedEvent*> inserted;
  for (const IssuedEvent& event : batch.events) {
    Rows& rows = rows_[event.coupon_id];
    if (rows.by_user.contains(event.user_id)) continue;
    if (!rows.users.emplace(event.sequence, event.user_id).second) {
      for (const IssuedEvent* undone : inserted) {
        Rows& changed = rows_[undone->coupon_id];
        changed.users.erase(undone->sequence);
        changed.by_user.erase(undone->user_id);
      }
      return Error{Errc::rejected, "sequence " + to_string(event.sequence) + " is somebody else's"};
    }
    rows.by_user.emplace(event.user_id, Holder{event.user_id, event.sequence, event.issued_at});
    inserted.push_back(&event);
  }
  return {};
}

Result<SaveOutcome> MemoryStore::save(const SaveBatch& batch) {
  const MutexLock guard(mutex_);
  auto positions = moved(batch);
  if (!positions) return SaveOutcome::fenced;
  if (!epochs_match(batch)) return SaveOutcome::superseded;
  if (const auto inserted = insert(batch); !inserted) return inserted.error();
  for (const auto& [coupon_id, claim] : batch.late) late_claims_[coupon_id].insert(claim);
  positions_ = std::move(*positions);
  for (const PositionChange& change : batch.positions)
    fingerprints_[{batch.group, batch.topic, change.partition}] = change.fingerprint;
  return SaveOutcome::saved;
}

Result<std::vector<LogPosition>> MemoryStore::positions(const std::string& group, const std::string& topic) {
  std::vector<LogPosition> found;
  const MutexLock guard(mutex_);
  for (const auto& [key, next] : positions_) {
    if (std::get<0>(key) == group && std::get<1>(key) == topic)
      found.push_back({std::get<2>(key), next, fingerprints_[key]});
  }
  return found;
}

Result<std::vector<LogPosition>> MemoryStore::highest_positions(const std::string& topic) {
  std::map<std::int32_t, std::int64_t> highest;
  const MutexLock guard(mutex_);
  for (const auto& [key, next] : positions_) {
    if (std::get<1>(key) != topic) continue;
    std::int64_t& known = highest.try_emplace(std::get<2>(key), next).first->second;
    known = std::max(known, next);
  }
  std::vector<LogPosition> found;
  for (const auto& [partition, next] : highest) found.push_back({partition, next});
  return found;
}

Result<std::vector<UserCoupon>> MemoryStore::coupons_of_user(const std::string& user_id, std::size_t limit) {
  std::vector<UserCoupon> found;
  const MutexLock guard(mutex_);
  for (const auto& [coupon_id, rows] : rows_) {
    const auto row = rows.by_user.find(user_id);
    if (row == rows.by_user.end()) continue;
    found.push_back({coupon_id, user_id, row->second.sequence, row->second.issued_at, "issued"});
  }
  std::ranges::stable_sort(found, std::ranges::greater{}, &UserCoupon::issued_at);
  if (found.size() > limit) found.resize(limit);
  return found;
}

Result<std::vector<Holder>> MemoryStore::holders(const std::string& coupon_id, Sequence after_sequence,
                                                 std::size_t limit) {
  std::vector<Holder> found;
  const MutexLock guard(mutex_);
  const auto rows = rows_.find(coupon_id);
  if (rows == rows_.end()) return found;
  const auto& users = rows->second.users;
  for (auto it = users.upper_bound(after_sequence); it != users.end() && found.size() < limit; ++it) {
    found.push_back(rows->second.by_user.at(it->second));
  }
  return found;
}

Result<std::vector<Holder>> MemoryStore::holders_among(const std::string& coupon_id,
                                                       std::span<const std::string> users) {
  std::vector<Holder> found;
  const MutexLock guard(mutex_);
  const auto rows = rows_.find(coupon_id);
  if (rows == rows_.end()) return found;
  for (const std::string& user : std::set<std::string>(users.begin(), users.end())) {
    const auto row = rows->second.by_user.find(user);
    if (row != rows->second.by_user.end()) found.push_back(row->second);
  }
  return found;
}

}  // namespace seonchak::sim
