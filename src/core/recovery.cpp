#include "core/recovery.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace seonchak {

namespace {

using std::chrono::steady_clock;

const std::string lock_name = "gate-recovery";
const std::string dependency = "gate_state";

void log_lost(const std::string& coupon_id, const std::string& user_id, std::int64_t sequence) {
  log::error("an issued coupon was lost with the gate, and the stock has gone to others meanwhile",
             {{"coupon", coupon_id}, {"user", user_id}, {"sequence", sequence}});
}

}  // namespace

Recovery::Recovery(Ports ports, Catalog& catalog, Witness& witness, Health& health, Metrics& metrics,
                   RecoveryOptions options)
    : ports_(ports),
      catalog_(catalog),
      witness_(witness),
      health_(health),
      options_(std::move(options)),
      recovered_(metrics.counter("seonchak_recovered_coupons_total", "Coupons recovered by this process.")),
      holders_added_(metrics.counter("seonchak_recovered_holders_total",
                                     "Holders the gate had lost and was given back.")),
      holders_lost_(metrics.counter("seonchak_lost_holders_total",
                                    "Holders that could not be given back: the stock had gone to others.")) {}

void Recovery::step() {
  const auto identity = ports_.control.identity();
  if (!identity) return;  // the gate is down: nothing is issued, and there is nothing to look at
  const CatalogSnapshot& catalog = catalog_.current();
  if (renamed(*identity, catalog)) return;
  const auto progress = look_at(catalog);
  if (!progress) return;
  testify(catalog, *progress);
  if (round_) return go_on();
  if (steady_clock::now() < next_try_) return;
  const auto found = suspects(*identity, catalog, *progress);
  if (!found.empty()) return begin(*identity, found);
  health_.note(dependency, {});
}

// A master without replicas gives its history another id once in a while; its data stays. Whoever has watched
// it
/// all along may say so.
bool Recovery::renamed(const GateIdentity& identity, const CatalogSnapshot& catalog) {
  const auto last = std::exchange(last_identity_, identity);
  if (!last || last->run_id != identity.run_id || last->name() == identity.name()) return false;
  if (identity.joined) return false;
  log::info("the gate has a new replication id", {{"was", last->name()}, {"is", identity.name()}});
  for (const auto& [id, coupon] : catalog.coupons()) {
    if (coupon->gate != last->name()) continue;
    const auto updated = ports_.store.update_coupon(id, [&](Coupon& row) -> Result<void> {
      if (row.gate != last->name()) return Error{Errc::invalid, "another process was faster"};
      row.gate = identity.name();
      return {};
    });
    if (!updated && updated.error().code == Errc::unavailable) {
      last_identity_ = last;  // again at the next step
      break;
    }
  }
  (void)catalog_.catalog().refresh();
  return true;
}

Result<Recovery::Progress> Recovery::look_at(const CatalogSnapshot& catalog) {
  std::vector<std::string> ids = catalog.open_ids();
  if (ids.size() > options_.coupons_checked_max) {
    // The coupons this process works with, and a share of the others.
    std::ranges::sort(ids);
    const std::size_t first = turn_ % ids.size();
    turn_ = first + options_.coupons_checked_max;
    std::ranges::rotate(ids, ids.begin() + static_cast<std::ptrdiff_t>(first));
    ids.resize(options_.coupons_checked_max);
    std::ranges::move(witness_.coupons(), std::back_inserter(ids));
  }
  for (auto& [id, doubt] : witness_.take_doubts()) {
    doubts_[id] = doubt;
    ids.push_back(id);
  }
  const auto found = ports_.outbox.progress(ids);
  if (!found) return found.error();
  Progress progress;
  for (std::size_t i = 0; i < ids.size(); ++i) progress.emplace(ids[i], (*found)[i]);
  return progress;
}

void Recovery::testify(const CatalogSnapshot& catalog, const Progress& progress) {
  for (const std::string& id : witness_.coupons()) {
    const auto coupon = catalog.find(id);
    const auto found = progress.find(id);
    if (!coupon || found == progress.end()) continue;
    if (found->second.recovering) {
      (void)ports_.gate.witness(id, witness_.holders(id));
    } else if (found->second.epoch == coupon->epoch && coupon->gate == last_identity_->name()) {
      if (!witness_.holders_before(id, coupon->epoch).empty()) claim_late(*coupon);
      witness_.persisted(id, found->second.persisted);
    }
  }
}

// The coupon was recovered: perhaps without this process, when it was stopped or cut off at the time.
void Recovery::claim_late(const Coupon& coupon) {
  const auto known = witness_.holders_before(coupon.id, coupon.epoch);
  std::vector<std::string> users;
  for (const Holder& holder : known) users.push_back(holder.user_id);
  const auto holders = ports_.control.holders_of(coupon, users);
  if (!holders) return;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if ((*holders)[i]) continue;
    const auto reply = ports_.control.claim_now({coupon.id, coupon.epoch, 0, {users[i]}, coupon.gate});
    if (!reply) return;
    if (reply->claims.front().sequence > 0) continue;
    holders_lost_.add();
    log_lost(coupon.id, users[i], known[i].sequence);
  }
  witness_.adopt(coupon.id, coupon.epoch);
}

std::vector<std::string> Recovery::suspects(const GateIdentity& identity, const CatalogSnapshot& catalog,
                                            const Progress& progress) {
  std::vector<std::string> found;
  for (const auto& [id, coupon] : catalog.coupons()) {
    if (coupon->epoch == 0) continue;
    const auto state = progress.find(id);
    const bool other_state = state != progress.end() && state->second.epoch != coupon->epoch;
    if (coupon->gate != identity.name() || other_state || doubts_.contains(id)) found.push_back(id);
  }
  return found;
}

void Recovery::begin(const GateIdentity& identity, const std::vector<std::string>& suspects) {
  next_try_ = steady_clock::now() + options_.retry;
  auto lock = ports_.store.try_lock(lock_name);
  if (!lock || !*lock)
    return;  // without the store nothing can be recovered; with the lock taken somebody does
  Round round{std::move(*lock), {}, {}};
  for (const std::string& id : suspects) {
    auto job = shut(identity, id);
    if (!job) {
      log::warn("a coupon cannot be recovered yet", {{"coupon", id}, {"why", job.error().message}});
      health_.note(dependency, Error{Errc::unavailable, "coupon " + id + ": " + job.error().message});
      if (job.error().code == Errc::unavailable) break;
    } else if (*job) {
      round.jobs.push_back(std::move(**job));
    }
  }
  (void)catalog_.catalog().refresh();
  if (round.jobs.empty()) return;
  round.due = steady_clock::now() + options_.witness_grace;
  health_.note(dependency,
               Error{Errc::unavailable, std::to_string(round.jobs.size()) + " coupons are being recovered"});
  round_ = std::move(round);
}

Result<bool> Recovery::is_sound(const GateIdentity& identity, const Coupon& coupon,
                                Outbox::Progress& progress) {
  const auto found = ports_.outbox.progress({&coupon.id, 1});
  if (!found) return found.error();
  progress = found->front();
  if (coupon.gate != identity.name() || progress.epoch != coupon.epoch) return false;
  const auto doubt = doubts_.find(coupon.id);
  if (doubt == doubts_.end() || doubt->second.epoch != coupon.epoch) return true;
  const auto state = ports_.control.state(coupon.id);
  if (!state) return state.error();
  return state->sequence >= doubt->second.sequence_seen;
}

// Nothing when there was no need after all: the catalog is a little behind the store.
Result<std::optional<Recovery::Job>> Recovery::shut(const GateIdentity& identity,
                                                    const std::string& coupon_id) {
  auto row = ports_.store.coupon(coupon_id);
  if (!row) return row.error();
  Outbox::Progress progress;
  const auto sound = is_sound(identity, *row, progress);
  if (!sound) return sound.error();
  if (*sound) {
    doubts_.erase(coupon_id);
    return std::optional<Job>();
  }
  const std::int64_t trusted_epoch = row->epoch;
  Job job;
  job.coupon = *row;
  job.coupon.gate = identity.name();
  job.token = options_.make_token();
  auto remains = ports_.gate.begin(job.coupon, job.token);
  if (!remains) return remains.error();
  job.remains = *remains;
  job.prefix = remains->epoch == trusted_epoch;

  // From this commit on no consumer saves an event of an earlier epoch without asking the gate: what the
  // store has when it is read below is all it will ever have of them.
  auto fenced = ports_.store.update_coupon(coupon_id, [&](Coupon& change) -> Result<void> {
    change.epoch = std::max(change.epoch, remains->epoch) + 1;
    change.gate = identity.name();
    return {};
  });
  if (!fenced) return fenced.error();
  job.coupon = std::move(*fenced);
  log::warn("the gate's state of a coupon is not the one that was trusted: recovering it",
            {{"coupon", coupon_id},
             {"epoch", job.coupon.epoch},
             {"gate", job.coupon.gate},
             {"found_epoch", remains->epoch},
             {"found_sequence", remains->sequence}});
  return std::optional<Job>(std::move(job));
}

void Recovery::go_on() {
  if (steady_clock::now() < round_->due) return;
  const auto finished = finish();
  if (finished) {
    round_.reset();
    health_.note(dependency, {});
    (void)catalog_.catalog().refresh();
    return;
  }
  log::warn("recovery waits",
            {{"code", to_string(finished.error().code)}, {"why", finished.error().message}});
  const bool same_gate =
      finished.error().code == Errc::unavailable || finished.error().code == Errc::overloaded;
  if (same_gate && round_->lock->held()) {
    round_->due = steady_clock::now() + options_.retry;
  } else {
    round_.reset();  // the gate has changed again, or somebody else has the lock: from the beginning
  }
}

Result<void> Recovery::finish() {
  const auto positions = ports_.store.positions(ports_.log.group(), ports_.log.topic());
  if (!positions) return positions.error();
  const auto events = ports_.log.events_after(*positions, options_.log_events_max);
  if (!events) return events.error();
  std::unordered_map<std::string_view, std::vector<Holder>> logged;
  for (const IssuedEvent& event : *events) {
    if (event.epoch > 0) logged[event.coupon_id].push_back({event.user_id, event.sequence, event.issued_at});
  }
  for (Job& job : round_->jobs) {
    while (!job.done) {
      const auto recovered = recover(job, logged[job.coupon.id]);
      if (!recovered) return recovered.error();
      job.done = *recovered;
    }
    doubts_.erase(job.coupon.id);
  }
  return {};
}

}  // namespace seonchak
