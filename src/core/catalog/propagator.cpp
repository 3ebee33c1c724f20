#include "core/catalog/propagator.hpp"

#include <algorithm>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"
#include "core/catalog/open_coupon.hpp"
#include "core/catalog/renew_revision.hpp"
#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

using std::chrono::milliseconds;

// A hiccup is no state.
constexpr unsigned failures_when_stuck = 3;
constexpr unsigned doublings_max = 20;

/// What an operator, or a user who waits, wants of the gate.
bool wants_the_same(const Coupon& one, const Coupon& other) {
  return one.stock == other.stock && one.opens_at == other.opens_at && one.closes_at == other.closes_at &&
         one.closed == other.closed && one.settled == other.settled;
}

/// A coupon that is being recovered, or must be: the recovery tells of itself.
bool is_for_recovery(const Coupon& coupon, Errc code) {
  return coupon.phase() != Phase::unopened && (code == Errc::gate_missing || code == Errc::gate_epoch ||
                                               code == Errc::gate_untrusted || code == Errc::gate_behind);
}

}  // namespace

Propagator::Propagator(Store& store, GateControl& gate, Catalog& catalog, Metrics& metrics,
                       PropagatorOptions options)
    : store_(store),
      gate_(gate),
      catalog_(catalog),
      options_(options),
      pending_gauge_(metrics.gauge("seonchak_coupons_not_propagated",
                                   "Coupons whose latest change this process has not told the gate of yet.")),
      stuck_gauge_(metrics.gauge("seonchak_coupons_stuck",
                                 "Those of them with which several attempts in a row have failed.")) {
  if (!options_.carries) return;
  catalog_.listen([this](std::span<const std::shared_ptr<const Coupon>> coupons,
                         std::span<const std::string> gone) { changed(coupons, gone); });
}

Propagator::~Propagator() {
  catalog_.listen({});
}

// By now what is told here is known to be committed.
void Propagator::changed(std::span<const std::shared_ptr<const Coupon>> coupons,
                         std::span<const std::string> gone) {
  const auto now = ticker().now();
  {
    const MutexLock lock(mutex_);
    for (const auto& coupon : coupons) {
      const auto [entry, added] = pending_.try_emplace(coupon->id);
      Pending& pending = entry->second;
      if (added || pending.coupon->epoch != coupon->epoch) pending.epoch_seen_at = now;
      // An epoch that was drawn, here or elsewhere, is no reason to try again sooner.
      if (added || !wants_the_same(*pending.coupon, *coupon)) {
        reset(coupon->id, pending);
        enqueue(coupon->id, pending, now);
      }
      pending.coupon = coupon;
      pending.seen_at = now;
    }
    for (const std::string& id : gone) {
      const auto found = pending_.find(id);
      if (found == pending_.end()) continue;
      reset(id, found->second);
      pending_.erase(found);
    }
    count();
  }
  wake_.notify_one();
}

void Propagator::propagated(const Coupon& coupon) {
  const MutexLock lock(mutex_);
  const auto found = pending_.find(coupon.id);
  if (found == pending_.end() || found->second.coupon->revision > coupon.revision) return;
  reset(coupon.id, found->second);
  pending_.erase(found);
  count();
}

void Propagator::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

std::size_t Propagator::pending() const {
  const MutexLock lock(mutex_);
  return pending_.size();
}

std::size_t Propagator::stuck() const {
  const MutexLock lock(mutex_);
  return stuck_;
}

void Propagator::enqueue(const std::string& id, Pending& pending, TimePoint due) {
  pending.due = due;
  queue_.emplace(due, id);
}

/// As if nothing had been tried yet.
void Propagator::reset(const std::string& id, Pending& pending) {
  if (pending.due) queue_.erase({*pending.due, id});
  if (pending.stuck) --stuck_;
  pending.due.reset();
  pending.failures = 0;
  pending.stuck = false;
  pending.refused.reset();
}

void Propagator::count() {
  pending_gauge_.set(static_cast<std::int64_t>(pending_.size()));
  stuck_gauge_.set(static_cast<std::int64_t>(stuck_));
}

milliseconds Propagator::backoff(unsigned failures, milliseconds max) const {
  const auto doublings = std::min(failures, doublings_max + 1) - 1;
  return std::min(options_.backoff_min * (1 << doublings), max);
}

Propagator::Attempts Propagator::take_due(milliseconds wait) {
  Attempts due;
  MutexLock lock(mutex_);
  const auto first = [&]() REQUIRES(mutex_) { return std::max(queue_.begin()->first, paused_until_); };
  const auto ready = [&]() REQUIRES(mutex_) {
    return stopping_ || (!queue_.empty() && first() <= ticker().now());
  };
  const auto until = std::chrono::steady_clock::now() + wait;
  while (!ready()) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left.count() <= 0) return due;
    auto nap = left;
    if (!queue_.empty()) nap = std::min<decltype(nap)>(nap, first() - ticker().now());
    lock.wait_for(wake_, nap);
  }
  if (stopping_) return due;
  const auto now = ticker().now();
  while (!queue_.empty() && queue_.begin()->first <= now && due.size() < options_.coupons_per_step_max) {
    Attempt attempt{.id = queue_.begin()->second};
    queue_.erase(queue_.begin());
    const auto found = pending_.find(attempt.id);
    invariant(found != pending_.end() && found->second.due, "who is in the queue is pending, and due");
    Pending& pending = found->second;
    pending.due.reset();
    attempt.work = pending;
    due.push_back(std::move(attempt));
  }
  return due;
}

void Propagator::step(milliseconds wait) {
  Attempts attempts = take_due(wait);
  if (attempts.empty()) return;
  const auto states = look_at(attempts);
  const bool committed = states && propagate_all(attempts, *states);
  if (!states) pause_all();
  put_back(attempts);
  // What was opened is issued from here once this process has heard of it; what was renewed is propagated
  // then.
  if (committed) (void)catalog_.refresh();
}

// Nothing when the gate does not answer. One question for all.
std::optional<Propagator::States> Propagator::look_at(const Attempts& attempts) {
  std::vector<std::string> ids;
  for (const Attempt& attempt : attempts) ids.push_back(attempt.id);
  States looked = gate_.states(ids);
  invariant(looked.size() == ids.size(), one_answer_each);
  if (nobody_reached(looked) && !gate_.check()) return std::nullopt;
  return looked;
}

// Whether any row was changed. What fails for want of an answer will fail for the next one, too: that one is
// left for the next step.
bool Propagator::propagate_all(Attempts& attempts, const States& states) {
  bool committed = false;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    Attempt& attempt = attempts[i];
    const auto outcome = propagate(attempt, states[i]);
    if (outcome) {
      link_failures_ = 0;
      committed = committed || attempt.committed;
      continue;
    }
    attempt.error = outcome.error();
    const bool looked = states[i].has_value() || states[i].error().code == Errc::gate_missing;
    if (looked && outcome.error().code == Errc::unavailable) {
      pause_all();
      break;
    }
  }
  return committed;
}

Result<void> Propagator::propagate(Attempt& attempt, const Result<GateState>& state) {
  const Coupon& coupon = *attempt.work.coupon;
  if (coupon.phase() == Phase::unopened) return open(attempt, state);
  if (!state) return state.error();
  if (is_ahead(*state, coupon)) return renew(attempt);
  if (!has_revision(*state, coupon)) return configure(attempt, *state);
  attempt.done = true;
  return {};
}

Result<void> Propagator::configure(Attempt& attempt, const GateState& state) {
  const Coupon& coupon = *attempt.work.coupon;
  const auto due = attempt.work.seen_at + options_.loosening_delay;
  if (loosens(state, coupon) && ticker().now() < due) {
    attempt.again = due;
    return {};
  }
  const auto applied = gate_.configure(committed(coupon));
  if (!applied &&
      (applied.error().code == Errc::gate_later || applied.error().code == Errc::stock_below_issued))
    return renew(attempt);
  if (!applied) return applied.error();
  attempt.done = true;
  return {};
}

// The catalog may be behind the store, so only the row tells. What it says by now comes with the next
// refresh.
Result<void> Propagator::renew(Attempt& attempt) {
  const auto row = renew_revision(store_, gate_, attempt.id);
  if (!row) return row.error();
  attempt.done = attempt.committed = true;
  return {};
}

Result<void> Propagator::open(Attempt& attempt, const Result<GateState>& state) {
  const auto code = state ? Errc::gate_missing : state.error().code;
  if (code == Errc::unavailable || code == Errc::gate_unusable) return state.error();
  Pending& work = attempt.work;
  auto coupon = drawn_for(work);
  if (!coupon) return coupon.error();
  work.refused.reset();
  if (coupon->phase() == Phase::unopened) {
    const Coupon drawn = *coupon;
    if (const auto opened = open_drawn_coupon(store_, gate_, *coupon); !opened) {
      if (opened.error().code != Errc::unavailable) work.refused = std::make_shared<const Coupon>(drawn);
      return opened.error();
    }
  }
  attempt.done = attempt.committed = true;
  return {};
}

// Nothing of an attempt that the gate has refused is under way, so its epoch serves for the next one, without
// a commit. An attempt whose fate is unknown is never repeated in its epoch: see open_coupon.
Result<Coupon> Propagator::drawn_for(const Pending& work) {
  if (work.refused) {
    if (work.refused->epoch == work.coupon->epoch) return *work.refused;
    const bool heard_of_own = work.coupon->epoch > work.refused->epoch;
    if (!heard_of_own || ticker().now() < work.epoch_seen_at + options_.redraw_pause)
      return Error{Errc::gate_epoch, "the gate has refused to open it, and another process tries"};
  }
  Coupon coupon = *work.coupon;
  if (auto drawn = draw_epoch(store_, gate_, coupon); !drawn) return drawn.error();
  return coupon;
}

void Propagator::put_back(const Attempts& attempts) {
  Stuck stuck;
  {
    const MutexLock lock(mutex_);
    const auto now = ticker().now();
    for (const Attempt& attempt : attempts) {
      const auto found = pending_.find(attempt.id);
      // Somebody else has propagated it, or there is another change of it.
      if (found == pending_.end() || found->second.due) continue;
      Pending& pending = found->second;
      const bool newer = pending.coupon->revision != attempt.work.coupon->revision;
      note(attempt, pending, stuck);
      if (attempt.error) {
        enqueue(attempt.id, pending, now + backoff(pending.failures, options_.backoff_max));
      } else if (newer || !attempt.done) {
        enqueue(attempt.id, pending, newer ? now : attempt.again.value_or(now));
      } else {
        pending_.erase(found);
      }
    }
    count();
  }
  say(stuck);
}

void Propagator::note(const Attempt& attempt, Pending& pending, Stuck& stuck) {
  pending.refused = attempt.work.refused;
  if (attempt.error) {
    ++pending.failures;
    if (pending.stuck || pending.failures < failures_when_stuck) return;
    if (is_for_recovery(*pending.coupon, attempt.error->code)) return;
    pending.stuck = true;
    ++stuck_;
    stuck.now.push_back(&attempt);
  } else if (attempt.done || attempt.again) {
    pending.failures = 0;
    if (!std::exchange(pending.stuck, false)) return;
    --stuck_;
    stuck.no_more.push_back(&attempt);
  }
}

void Propagator::say(const Stuck& stuck) const {
  std::size_t named = 0;
  for (const Attempt* attempt : stuck.now) {
    if (++named > options_.names_logged_per_step_max) break;
    log::warn("coupon not propagated to the gate yet", {{"coupon", attempt->id},
                                                        {"code", to_string(attempt->error->code)},
                                                        {"why", attempt->error->message}});
  }
  if (stuck.now.size() > named)
    log::warn("more coupons not propagated to the gate yet", {{"coupons", stuck.now.size() - named + 1}});
  named = 0;
  for (const Attempt* attempt : stuck.no_more) {
    if (++named > options_.names_logged_per_step_max) break;
    log::info("coupon propagated to the gate after all", {{"coupon", attempt->id}});
  }
  if (stuck.no_more.size() > named)
    log::info("more coupons propagated to the gate after all",
              {{"coupons", stuck.no_more.size() - named + 1}});
}

void Propagator::pause_all() {
  paused_until_ = ticker().now() + backoff(++link_failures_, options_.link_backoff_max);
}

}  // namespace seonchak
