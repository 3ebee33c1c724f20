#include "core/recovery/coordinator.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

using std::chrono::milliseconds;

const std::string dependency = "gate_state";

bool may_pass(const Error& error) {
  return error.code == Errc::unavailable || error.code == Errc::row_held || error.code == Errc::overloaded ||
         error.code == Errc::not_now;
}

}  // namespace

RecoveryCoordinator::RecoveryCoordinator(Ports ports, Guard& guard, Catalog& catalog, Health& health,
                                         Metrics& metrics, RecoveryCoordinatorOptions options)
    : ports_(ports),
      guard_(guard),
      catalog_(catalog),
      health_(health),
      options_(std::move(options)),
      tail_(ports.store, ports.log, options_.tail),
      late_(ports.store, ports.control, catalog, metrics, options_.late),
      lease_(ports.store, options_.lease),
      recovered_(metrics.counter("seonchak_recovered_coupons_total", "Coupons recovered by this process.")),
      holders_added_(metrics.counter("seonchak_recovered_holders_total",
                                     "Holders the gate had lost and was given back.")),
      holders_lost_(metrics.counter(
          "seonchak_lost_holders_total",
          "Holders that could not be given back: the stock had gone to others, or the database "
          "rejects their rows.")),
      age_(metrics.gauge("seonchak_recovery_age_seconds",
                         "For how long the gate of some coupon has not been the trusted one.")) {}

milliseconds RecoveryCoordinator::step() {
  const auto now = ticker().now();
  busy_ = false;
  if (now >= next_look_) look(now);
  if (!gate_answers_) return until(next_look_);
  if (!has_work()) {
    if (std::exchange(leads_, false)) lease_.release();
    return until(next_look_);
  }
  if (!hold_lease()) return until(next_look_);
  work(now);
  refresh();
  return busy_ ? milliseconds(0) : until(next_due());
}

// Until the lease is lost.
void RecoveryCoordinator::work(TimePoint began) {
  shut(Share::demand);
  if (leads_) advance(Share::demand, began + options_.demand_share);
  if (leads_) shut(Share::others);
  if (leads_) read_tail();
  if (leads_) {
    advance(Share::others, std::max(began + options_.step_most, ticker().now() + options_.others_share));
  }
  if (leads_) decide_late();
}

void RecoveryCoordinator::stop() {
  give_up();
  if (std::exchange(leads_, false)) lease_.release();
}

void RecoveryCoordinator::look(TimePoint now) {
  next_look_ = now + options_.look_period;
  gate_answers_ = guard_.look();
  late_.look();
  if (gate_answers_) forget_heard();
  note_health();
}

// So that this process hears of its own commits soon; at once when its users wait for that.
void RecoveryCoordinator::refresh() {
  const auto now = ticker().now();
  if (!refresh_due_ && (!committed_ || now < next_refresh_)) return;
  refresh_due_ = committed_ = false;
  next_refresh_ = now + options_.look_period;
  (void)catalog_.catalog().refresh();
}

bool RecoveryCoordinator::has_work() const {
  return !jobs_.empty() || late_.waiting() || !next_suspects(Share::demand, 1).empty() ||
         !next_suspects(Share::others, 1).empty();
}

// Whose turn it is to be shut.
std::vector<std::string> RecoveryCoordinator::next_suspects(Share share, std::size_t most) const {
  const auto wanted = [&](const std::string& id) { return !jobs_.contains(id) && !postponed(id); };
  return share == Share::demand ? guard_.suspects_in_demand(most, wanted)
                                : guard_.other_suspects(most, wanted);
}

// Looking for work is no sign of life: who holds the lease beats with each piece that it has finished, so one
// that hangs, or gets nowhere, is replaced.
bool RecoveryCoordinator::hold_lease() {
  if (!leads_) leads_ = lease_.step().held;
  return leads_;
}

void RecoveryCoordinator::give_up() {
  jobs_.clear();
  tail_.stop();
}

// False when another has taken over.
bool RecoveryCoordinator::progressed() {
  leads_ = lease_.beat();
  if (!leads_) give_up();
  return leads_;
}

bool RecoveryCoordinator::belongs(const std::string& coupon_id, Share share) const {
  return guard_.in_demand(coupon_id) == (share == Share::demand);
}

bool RecoveryCoordinator::postponed(const std::string& coupon_id) const {
  const auto found = backoff_.find(coupon_id);
  return found != backoff_.end() && ticker().now() < found->second.until;
}

// Each state is logged once.
RecoveryCoordinator::TimePoint RecoveryCoordinator::failed(const std::string& coupon_id, const Error& error,
                                                           TimePoint::duration took) {
  const auto [place, first] = backoff_.try_emplace(coupon_id);
  Backoff& backoff = place->second;
  if (first || backoff.why != error.code) {
    log::warn("a coupon cannot be recovered yet",
              {{"coupon", coupon_id}, {"code", to_string(error.code)}, {"why", error.message}});
  }
  backoff.why = error.code;
  backoff.delay = std::clamp(backoff.delay * 2, options_.retry, options_.retry_max);
  // What takes long to fail must not be most of what is done.
  backoff.until =
      ticker().now() + std::max<TimePoint::duration>(backoff.delay, options_.failure_share * took);
  return backoff.until;
}

// Those with demand are admitted at once, whatever else is under way.
void RecoveryCoordinator::shut(Share share) {
  const std::size_t room = options_.jobs_max - std::min(options_.jobs_max, jobs_under_way());
  const std::size_t most =
      share == Share::demand ? options_.jobs_max : std::min(options_.shuts_per_step, room);
  const auto ids = next_suspects(share, most);
  if (failpoint("end_before_fence") && !ids.empty()) tail_.look_too_early();
  const auto began = ticker().now();
  for (const std::string& id : ids) {
    RecoveryJob job({ports_.store, ports_.control, ports_.gate, ports_.outbox}, id, options_.job);
    const auto shut = job.shut(guard_);
    if (!shut) {
      failed(id, shut.error());
      // What is refused at once may be refused to this coupon alone.
      if (may_pass(shut.error()) && ticker().now() - began >= options_.step_most) break;
      continue;
    }
    if (*shut) {
      jobs_.emplace(id, std::move(job));
    } else {
      done_with(id);
    }
    if (!progressed()) return;
  }
  fence();
  if (share == Share::others && ids.size() == most && most > 0) busy_ = true;
}

// A job that waits for somebody else's hold of its row takes no place.
std::size_t RecoveryCoordinator::jobs_under_way() const {
  const auto now = ticker().now();
  return static_cast<std::size_t>(std::ranges::count_if(jobs_, [&](const auto& item) {
    return item.second.stage() != Stage::fence || item.second.due() <= now;
  }));
}

// One transaction for many; who was overtaken is left out of it. When it fails, fewer at a time show whose
// row it fails for.
void RecoveryCoordinator::fence() {
  const auto now = ticker().now();
  std::vector<CouponFence> fences;
  for (const auto& [id, job] : jobs_) {
    if (job.stage() != Stage::fence || job.due() > now || fences.size() >= fences_at_once_) continue;
    fences.push_back(job.fence());
  }
  if (fences.empty()) return;
  auto fenced = ports_.store.fence_coupons(fences);
  if (!fenced) {
    if (fences.size() > 1) {
      fences_at_once_ = std::max<std::size_t>(1, fences.size() / 4);
      busy_ = true;
    } else {
      const std::string& id = fences.front().coupon_id;
      jobs_.at(id).wait_until(failed(id, fenced.error()));
    }
    return;
  }
  fences_at_once_ = std::min(2 * fences_at_once_, options_.fences_max);
  if (!fenced->changed.empty()) committed_ = true;
  for (Coupon& row : fenced->changed) {
    if (guard_.in_demand(row.id)) refresh_due_ = true;
    const auto job = jobs_.find(row.id);
    if (job != jobs_.end()) job->second.fenced(std::move(row));
  }
  for (const std::string& id : fenced->held) fence_later(jobs_.at(id));
  for (const CouponFence& fence : fences) {
    const auto job = jobs_.find(fence.coupon_id);
    const bool held = std::ranges::find(fenced->held, fence.coupon_id) != fenced->held.end();
    if (job->second.stage() == Stage::fence && !held) jobs_.erase(job);
  }
  const auto is_left = [&](const auto& item) {
    return item.second.stage() == Stage::fence && item.second.due() <= now;
  };
  if (fenced->held.size() < fences.size() && !progressed()) return;
  if (std::ranges::any_of(jobs_, is_left)) busy_ = true;
}

void RecoveryCoordinator::fence_later(RecoveryJob& job) {
  const auto now = ticker().now();
  job.wait_until(
      now - job.shut_at() < options_.held_patience
          ? now + options_.held_retry
          : failed(job.id(),
                   {Errc::unavailable,
                    "somebody holds the coupon's row of the store, or the store refuses its change"}));
}

// One reading serves all that wait for it; for a coupon with demand it begins anew, unless it serves one.
void RecoveryCoordinator::read_tail() {
  std::vector<CouponEpoch> waiting;
  bool urgent = false;
  bool serves_urgent = false;
  for (const auto& [id, job] : jobs_) {
    if (job.stage() != Stage::tail) continue;
    waiting.push_back({id, job.coupon().epoch});
    if (guard_.in_demand(id)) (tail_.serves(waiting.back()) ? serves_urgent : urgent) = true;
  }
  if (waiting.empty()) return tail_.stop();
  if (!tail_.reading() || (urgent && !serves_urgent)) {
    if (const auto begun = tail_.begin(waiting); !begun) return tail_failed(begun.error());
  }
  const auto read = tail_.read();
  busy_ = true;
  if (!read) return tail_failed(read.error());
  if (*read == RecoveryTail::Read::nothing || !progressed()) return;
  if (*read != RecoveryTail::Read::all) return;
  for (const CouponEpoch& fenced : waiting) {
    if (tail_.serves(fenced)) jobs_.at(fenced.coupon_id).logged(tail_.take(fenced.coupon_id));
  }
}

// The others may be further.
void RecoveryCoordinator::tail_failed(const Error& error) {
  tail_.stop();
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    const bool waits = it->second.stage() == Stage::tail;
    if (waits) failed(it->first, error);
    it = waits ? jobs_.erase(it) : std::next(it);
  }
}

bool RecoveryCoordinator::can_advance(const RecoveryJob& job) const {
  const bool in_a_batch =
      job.stage() == Stage::shut || job.stage() == Stage::fence || job.stage() == Stage::tail;
  return !in_a_batch && job.due() <= ticker().now();
}

// A piece of each in turn.
void RecoveryCoordinator::advance(Share share, TimePoint end) {
  std::size_t pieces = 0;
  while (true) {
    std::vector<std::string> ids;
    for (const auto& [id, job] : jobs_) {
      if (belongs(id, share) && can_advance(job)) ids.push_back(id);
    }
    if (ids.empty()) return;
    std::ranges::rotate(ids, std::ranges::upper_bound(ids, turn_));
    for (const std::string& id : ids) {
      if (pieces++ == options_.pieces_max || ticker().now() >= end) {
        busy_ = true;
        return;
      }
      turn_ = id;
      if (!advance(jobs_.at(id))) return;
    }
  }
}

// False when the lease is lost, and all jobs with it.
bool RecoveryCoordinator::advance(RecoveryJob& job) {
  const auto tried_at = ticker().now();
  const auto advanced = job.advance();
  if (!advanced) {
    // A trigger that hangs over this coupon's rows, say.
    const bool its_own = advanced.error().code == Errc::not_now;
    const auto took = its_own ? ticker().now() - tried_at : TimePoint::duration(0);
    const auto until = failed(job.id(), advanced.error(), took);
    if (may_pass(advanced.error())) {
      job.wait_until(until);
    } else {
      jobs_.erase(job.id());
    }
    return true;
  }
  if (job.stage() == Stage::done) finish(job);
  return progressed();
}

void RecoveryCoordinator::finish(const RecoveryJob& job) {
  const std::string& id = job.id();
  const Rebuilt& rebuilt = job.rebuilt();
  unheard_[id] = {id, rebuilt.pending.empty() ? 0 : rebuilt.pending.back().sequence, job.coupon().epoch};
  guard_.watch(id);
  recovered_.add();
  holders_added_.add(rebuilt.pending.size());
  holders_lost_.add(rebuilt.dropped.size() + rebuilt.rejected.size());
  for (const Holder& holder : rebuilt.dropped) {
    log::error("an issued coupon was lost with the gate, and the stock has gone to others meanwhile",
               {{"coupon", id}, {"user", holder.user_id}, {"sequence", holder.sequence}});
  }
  log::info("coupon recovered", {{"coupon", id},
                                 {"epoch", job.coupon().epoch},
                                 {"sequence", rebuilt.sequence},
                                 {"given_back", rebuilt.pending.size()},
                                 {"lost", rebuilt.dropped.size() + rebuilt.rejected.size()}});
  committed_ = true;
  if (guard_.in_demand(id)) refresh_due_ = true;
  done_with(id);
}

void RecoveryCoordinator::done_with(const std::string& coupon_id) {
  const auto ended = jobs_.extract(coupon_id);  // the id may be the job's own
  backoff_.erase(coupon_id);
  guard_.cleared(coupon_id);
}

void RecoveryCoordinator::decide_late() {
  if (late_.decide() && progressed()) busy_ = true;
}

// The log has heard of what a recovery saved: the next one need not tell it again.
void RecoveryCoordinator::forget_heard() {
  std::erase_if(unheard_, [&](const auto& item) {
    const Watermark& watermark = item.second;
    const auto progress = guard_.progress(item.first);
    if (!progress || progress->epoch < watermark.epoch) return false;
    if (progress->epoch == watermark.epoch) {
      if (progress->persisted < watermark.sequence) return false;
      if (!ports_.store.forget_recorded(item.first, watermark.epoch)) return false;
    }
    guard_.unwatch(item.first);
    return true;
  });
}

void RecoveryCoordinator::note_health() {
  const auto oldest = guard_.oldest();
  if (!oldest) {
    age_.set(0);
    health_.note(dependency, {});
    return;
  }
  const auto age = std::chrono::floor<std::chrono::seconds>(ticker().now() - *oldest).count();
  age_.set(age);
  health_.note(dependency, Error{Errc::unavailable, std::to_string(guard_.suspect_count()) +
                                                        " coupons are being recovered, the first for " +
                                                        std::to_string(age) + " s"});
}

RecoveryCoordinator::TimePoint RecoveryCoordinator::next_due() const {
  TimePoint next = next_look_;
  for (const auto& [id, job] : jobs_) next = std::min(next, job.due());
  return next;
}

milliseconds RecoveryCoordinator::until(TimePoint time) {
  return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(time - ticker().now()));
}

}  // namespace seonchak
