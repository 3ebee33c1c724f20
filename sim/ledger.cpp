#include "sim/ledger.hpp"

namespace seonchak::sim {

void Ledger::promised(Promise promise) {
  const Known& known = coupons_[promise.coupon_id];
  // Answered by a process that slept through a recovery.
  if (promise.epoch < known.settled && !has_row(promise)) promise.excused = excusable(promise, known);
  promises_.push_back(std::move(promise));
}

bool Ledger::has_row(const Promise& promise) {
  const auto rows = store_.holders_among(promise.coupon_id, {&promise.user_id, 1}).value();
  return !rows.empty() && rows.front().sequence == promise.sequence;
}

// The limit in docs/guarantees.md: the gate lost it, and the process that told of it died or was cut off
// before it could bear witness. What the log or the store was said to have is never lost.
bool Ledger::excusable(const Promise& promise, const Known& known) const {
  if (!gate_lost_ || promise.reached_log) return false;
  return !promise.told_by->alive || promise.told_by->hindered_at >= known.fenced_at;
}

void Ledger::committed(const Coupon& row) {
  Known& known = coupons_[row.id];
  if (row.epoch > known.epoch) known.fenced_at = ticker().now();
  known.epoch = row.epoch;
  if (row.settled == known.settled) return;
  known.settled = row.settled;
  for (Promise& promise : promises_) {
    if (promise.coupon_id != row.id || promise.excused || promise.epoch >= row.settled) continue;
    if (!has_row(promise)) promise.excused = excusable(promise, known);
  }
}

std::int64_t Ledger::settled(const std::string& coupon_id) const {
  const auto found = coupons_.find(coupon_id);
  return found == coupons_.end() ? 0 : found->second.settled;
}

}  // namespace seonchak::sim
