#include "sim/ledger.hpp"

#include <algorithm>
#include <iterator>

namespace seonchak::sim {

namespace {

/// Longer than a call travels without a fault.
constexpr std::chrono::milliseconds long_call{100};

}  // namespace

Micros Life::longest_free(Ticker::TimePoint from, Ticker::TimePoint to) const {
  auto hindrances = hindrances_;
  // One that did not end was the last thing it did.
  std::ranges::copy_if(calls_, std::back_inserter(hindrances), [&](const auto& call) {
    return call.second == Ticker::TimePoint::max() || std::min(call.second, to) - call.first >= long_call;
  });
  std::ranges::sort(hindrances);
  Ticker::TimePoint::duration longest{};
  for (const auto& [began, ended] : hindrances) {
    if (from >= to) break;
    longest = std::max(longest, std::min(began, to) - from);
    from = std::max(from, ended);
  }
  return std::chrono::floor<Micros>(std::max(longest, to - std::min(from, to)));
}

void Ledger::promised(Promise promise) {
  promise.told_at = ticker().now();
  promises_.push_back(std::move(promise));
}

bool Ledger::has_row(const Promise& promise) {
  const auto rows = store_.holders_among(promise.coupon_id, {&promise.user_id, 1}).value();
  return !rows.empty() && rows.front().sequence == promise.sequence;
}

bool Ledger::in_log(const Promise& promise) const {
  return std::ranges::any_of(log_.records(), [&](const LogRecord& record) {
    const auto& event = std::get<IssuedEvent>(record.message);
    return event.coupon_id == promise.coupon_id && event.user_id == promise.user_id &&
           event.sequence == promise.sequence && event.epoch == promise.epoch;
  });
}

// The limit in docs/guarantees.md: the gate lost it, the log did not have it, and the process that told of it
// was dead, stopped or cut off from the store for as long as it could have recorded. With a gate
// that fails over nobody may tell of it at all once the lease has ended.
bool Ledger::excusable(const Promise& promise, const Known& known) const {
  if (!gate_lost_ || promise.reached_log || promise.survived || promise.logged || known.fences.empty())
    return false;
  if (to_be_waited_for(promise, known)) return false;
  const auto now = ticker().now();
  for (std::size_t i = 0; i < known.fences.size(); ++i) {
    const auto end = i + 1 < known.fences.size() ? known.fences[i + 1] : now;
    if (promise.told_by->longest_free(known.fences[i], end) >= options_.recording_needs) return false;
  }
  if (options_.lease.count() == 0 || promise.pending) return true;
  return promise.told_at <= known.fences.front() + options_.lease;
}

// The process has announced itself to the recovery that settles, in time, and is not done.
bool Ledger::to_be_waited_for(const Promise& promise, const Known& known) const {
  const auto* recording = promise.told_by->recording(promise.coupon_id, known.epoch);
  if (recording == nullptr || promise.epoch != known.settled || promise.told_at > recording->began)
    return false;
  return recording->began < known.fences.back() + options_.grace &&
         ticker().now() < recording->heard + options_.silence;
}

void Ledger::gate_lost() {
  gate_lost_ = true;
  for (Promise& promise : promises_) promise.survived = false;
  for (auto& [id, known] : coupons_) known.remains.clear();
}

void Ledger::shut(const std::string& coupon_id, Epoch epoch, const std::vector<Holder>& survivors) {
  Known& known = coupons_[coupon_id];
  known.epoch_of_remains = epoch;
  known.remains.clear();
  for (const Holder& holder : survivors) known.remains.emplace(holder.user_id, holder.sequence);
}

void Ledger::fenced(const std::string& coupon_id, Known& known) {
  known.fences.push_back(ticker().now());
  const bool prefix = known.epoch_of_remains == known.settled;
  for (Promise& promise : promises_) {
    if (promise.coupon_id != coupon_id || promise.excused || promise.epoch != known.settled) continue;
    promise.survived = prefix && known.remains.contains({promise.user_id, promise.sequence});
    promise.logged = options_.durable_log && in_log(promise);
  }
}

void Ledger::committed(const Coupon& row) {
  Known& known = coupons_[row.id];
  const bool settles_another = row.settled != known.settled && row.settled != row.epoch;
  if (row.epoch < known.epoch || settles_another) {
    overtaken_writes_.push_back("coupon " + row.id + ": epoch " + to_string(row.epoch) + " settled " +
                                to_string(row.settled) + " was written over epoch " + to_string(known.epoch) +
                                " settled " + to_string(known.settled));
  }
  if (row.epoch > known.epoch) {
    if (known.epoch == known.settled) known.fences.clear();
    fenced(row.id, known);
  }
  known.epoch = row.epoch;
  if (row.settled == known.settled) return;
  for (Promise& promise : promises_) {
    if (promise.coupon_id != row.id || promise.excused || promise.epoch >= row.settled) continue;
    if (!has_row(promise)) promise.excused = excusable(promise, known);
  }
  known.settled = row.settled;
}

Epoch Ledger::settled(const std::string& coupon_id) const {
  const auto found = coupons_.find(coupon_id);
  return found == coupons_.end() ? 0 : found->second.settled;
}

}  // namespace seonchak::sim
