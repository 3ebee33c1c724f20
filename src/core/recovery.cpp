#include "core/recovery.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/planted.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

const std::string lock_name = "gate-recovery";
const std::string dependency = "gate_state";

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
  testify(catalog_.current());
  const CatalogSnapshot& catalog = catalog_.current();
  // One server has them all.
  const std::string any = catalog.coupons().empty() ? std::string() : catalog.coupons().begin()->first;
  const auto identity = ports_.control.identity(any);
  if (!identity) return;  // the gate is down: nothing is issued, and there is nothing to look at
  if (renamed(*identity, catalog)) return;
  const auto progress = look_at(catalog);
  if (!progress) return;
  catch_up(catalog, *progress);
  forget_heard(*progress);
  if (round_) return go_on();
  if (ticker().now() < next_try_) return;
  const auto found = suspects(*identity, catalog, *progress);
  if (!found.empty()) return begin(*identity, found);
  health_.note(dependency, {});
}

// A master without replicas gives its history another id once in a while; its data stays. Whoever has watched
// it all along may say so.
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
  if (const auto down = nobody_reached(found)) return *down;
  Progress progress;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    // Of what cannot be used the epoch is not the one that is trusted.
    if (found[i] || found[i].error().code != Errc::unavailable)
      progress.emplace(ids[i], found[i] ? *found[i] : Outbox::Progress{});
  }
  return progress;
}

// The catalog was read first: an answer that comes after it in an earlier epoch is not given to the user.
void Recovery::testify(const CatalogSnapshot& catalog) {
  if (planted("no_witness")) return;
  for (const std::string& id : witness_.coupons()) {
    const auto coupon = catalog.find(id);
    if (coupon && !coupon->is_open()) write_down(*coupon, witness_.claims(id));
  }
}

void Recovery::catch_up(const CatalogSnapshot& catalog, const Progress& progress) {
  for (const std::string& id : witness_.coupons()) {
    const auto coupon = catalog.find(id);
    const auto found = progress.find(id);
    if (!coupon || !coupon->is_open() || found == progress.end()) continue;
    if (found->second.epoch != coupon->epoch) continue;
    claim_late(*coupon, witness_.claims(id, coupon->epoch));
    witness_.persisted(id, coupon->epoch, found->second.persisted);
  }
}

void Recovery::forget_heard(const Progress& progress) {
  std::erase_if(unheard_, [&](const auto& item) {
    const Mark& mark = item.second;
    const auto found = progress.find(item.first);
    if (found == progress.end() || found->second.epoch != mark.epoch)
      return found != progress.end() && found->second.epoch > mark.epoch;
    if (found->second.persisted < mark.sequence) return false;
    return ports_.store.forget_testimony(item.first, mark.epoch).has_value();
  });
}

void Recovery::write_down(const Coupon& coupon, const std::vector<KnownClaim>& claims) {
  const std::pair known(coupon.epoch, claims.size());
  if (claims.empty() || testified_[coupon.id] == known) return;
  const auto heard = ports_.store.testify(coupon.id, coupon.epoch, claims);
  if (heard && *heard) testified_[coupon.id] = known;
}

// The coupon was recovered: perhaps without this process, when it was stopped or cut off at the time.
void Recovery::claim_late(const Coupon& coupon, const std::vector<KnownClaim>& claims) {
  if (claims.empty()) return;
  std::vector<std::string> users;
  for (const KnownClaim& claim : claims) users.push_back(claim.holder.user_id);
  const auto holders = ports_.control.holders_of(coupon, users);
  if (!holders) return;
  for (std::size_t i = 0; i < users.size(); ++i) {
    Holder now_held = (*holders)[i].value_or(Holder{});
    if (now_held.sequence == 0) {
      const auto reply = ports_.control.claim_now({coupon.id, coupon.epoch, 0, {users[i]}, coupon.gate});
      if (!reply) return;
      const Claim& claim = reply->claims.front();
      now_held = {users[i], claim.sequence, claim.issued_at};
    }
    if (now_held.sequence > 0) {
      witness_.issued(coupon.id, coupon.epoch, {now_held});
    } else {
      lost(coupon.id, claims[i].holder);
    }
  }
  witness_.forget_before(coupon.id, coupon.epoch);
}

std::vector<std::string> Recovery::suspects(const GateIdentity& identity, const CatalogSnapshot& catalog,
                                            const Progress& progress) {
  std::vector<std::string> found;
  for (const auto& [id, coupon] : catalog.coupons()) {
    if (coupon->settled == 0) continue;
    const auto state = progress.find(id);
    const bool other_state = state != progress.end() && state->second.epoch != coupon->epoch;
    if (!coupon->is_open() || coupon->gate != identity.name() || other_state || doubts_.contains(id))
      found.push_back(id);
  }
  return found;
}

void Recovery::begin(const GateIdentity& identity, const std::vector<std::string>& suspects) {
  next_try_ = ticker().now() + options_.retry;
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
  round.due = ticker().now() + options_.witness_grace;
  health_.note(dependency,
               Error{Errc::unavailable, std::to_string(round.jobs.size()) + " coupons are being recovered"});
  round_ = std::move(round);
}

Result<bool> Recovery::is_sound(const GateIdentity& identity, const Coupon& coupon) {
  if (!coupon.is_open() || coupon.gate != identity.name()) return false;
  const auto progress = ports_.outbox.progress({&coupon.id, 1}).front();
  if (!progress && progress.error().code == Errc::gate_behind) return false;
  if (!progress) return progress.error();
  if (progress->epoch != coupon.epoch) return false;
  const auto doubt = doubts_.find(coupon.id);
  if (doubt == doubts_.end() || doubt->second.epoch != coupon.epoch) return true;
  const auto state = ports_.control.state(coupon.id);
  if (!state) return state.error();
  return state->sequence >= doubt->second.sequence_seen && state->issued >= state->counted;
}

// Nothing when there was no need after all: the catalog is a little behind the store.
Result<std::optional<Recovery::Job>> Recovery::shut(const GateIdentity& identity,
                                                    const std::string& coupon_id) {
  const auto observed = ports_.gate.observe(coupon_id);
  if (!observed) return observed.error();
  auto row = ports_.store.coupon(coupon_id);
  if (!row) return row.error();
  if (row->settled == 0) return std::optional<Job>();
  const auto sound = is_sound(identity, *row);
  if (!sound) return sound.error();
  if (*sound) {
    doubts_.erase(coupon_id);
    return std::optional<Job>();
  }
  Job job;
  job.coupon = *row;
  job.coupon.gate = identity.name();
  job.token = options_.make_token();
  auto remains = ports_.gate.begin(job.coupon, job.token, *observed);
  if (!remains) return remains.error();
  job.remains = *remains;

  // From this commit on no consumer saves an event of an earlier epoch without asking the gate: what the
  // store has when it is read below is all it will ever have of them.
  auto fenced = ports_.store.update_coupon(coupon_id, [&](Coupon& change) -> Result<void> {
    change.epoch = std::max(change.epoch, remains->epoch) + 1;
    change.gate = identity.name();
    return {};
  });
  if (!fenced) return fenced.error();
  job.coupon = std::move(*fenced);
  job.prefix = remains->epoch > 0 && remains->epoch == job.coupon.settled && remains->is_whole();
  log::warn("the gate's state of a coupon is not the one that was trusted: recovering it",
            {{"coupon", coupon_id},
             {"epoch", job.coupon.epoch},
             {"trusted_epoch", job.coupon.settled},
             {"found_epoch", remains->epoch},
             {"found_sequence", remains->sequence}});
  return std::optional<Job>(std::move(job));
}

void Recovery::go_on() {
  if (ticker().now() < round_->due) return;
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
    round_->due = ticker().now() + options_.retry;
  } else {
    round_.reset();  // the gate has changed again, or somebody else has the lock: from the beginning
  }
}

Result<void> Recovery::finish() {
  const auto positions = ports_.store.positions(ports_.log.group(), ports_.log.topic());
  if (!positions) return positions.error();
  const auto events = ports_.log.events_after(*positions, options_.log_events_max);
  if (!events) return events.error();
  std::unordered_map<std::string_view, std::vector<KnownClaim>> logged;
  for (const IssuedEvent& event : *events) {
    if (event.epoch == 0) continue;
    logged[event.coupon_id].push_back({{event.user_id, event.sequence, event.issued_at}, event.epoch});
  }
  while (!round_->jobs.empty()) {
    const Job& job = round_->jobs.back();
    const auto recovered = recover(job, logged[job.coupon.id]);
    if (!recovered) return recovered.error();
    if (!*recovered) continue;  // a witness was late: once more
    doubts_.erase(job.coupon.id);
    round_->jobs.pop_back();
  }
  return {};
}

}  // namespace seonchak
