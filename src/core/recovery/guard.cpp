#include "core/recovery/guard.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

bool is_over(const Coupon& coupon, Time now) {
  return coupon.closed || (coupon.closes_at && *coupon.closes_at <= now);
}

bool is_whole(const GateState& state, const Coupon& coupon) {
  return state.epoch == coupon.epoch && state.issued >= state.counted;
}

}  // namespace

Guard::Guard(Store& store, GateControl& control, Outbox& outbox, Catalog& catalog,
             UnsavedClaims& unsaved_claims, GuardOptions options)
    : store_(store),
      control_(control),
      outbox_(outbox),
      catalog_(catalog),
      unsaved_claims_(unsaved_claims),
      options_(options) {}

bool Guard::look() {
  const CatalogSnapshot& catalog = catalog_.current();
  see_demand();
  if (!see_identity(catalog)) return false;
  progress_.clear();
  found_ = 0;
  ask_progress(wanted(catalog));
  sweep();
  weigh_doubts(catalog);
  // While thousands recover the catalog changes all the time, and what is done with is no suspect's anyway.
  const auto now = ticker().now();
  const bool changed = scanned_version_ != catalog_.version();
  const bool few = since_.size() <= options_.few_suspects;
  if (scan_due_ || (changed && (few || now >= next_scan_))) {
    scan_due_ = false;
    scanned_version_ = catalog_.version();
    next_scan_ = now + options_.scan_period;
    scan(catalog);
  }
  rename();
  return true;
}

// A master without replicas gives its history another id once in a while; its data stays. Whoever has watched
// it all along may say so: one that was another's replica meanwhile says "not joined" again once it has
// forgotten the other's history, and that takes it longer.
bool Guard::see_identity(const CatalogSnapshot& catalog) {
  // One server has them all.
  const std::string any = catalog.coupons().empty() ? std::string() : catalog.coupons().begin()->first;
  const auto seen = control_.identity(any);
  if (!seen) return false;
  const auto now = ticker().now();
  if (identity_ && identity_->name() != seen->name()) {
    const bool same_server =
        identity_->run_id == seen->run_id && !seen->joined && now - seen_at_ <= options_.renamed_max;
    if (same_server) {
      log::info("the gate has a new replication id", {{"was", identity_->name()}, {"is", seen->name()}});
      former_names_.insert(identity_->name());
    } else {
      former_names_.clear();
    }
  }
  if (!identity_ || identity_->name() != seen->name()) scan_due_ = true;
  identity_ = *seen;
  seen_at_ = now;
  return true;
}

void Guard::see_demand() {
  for (const auto& [id, doubt] : unsaved_claims_.take_doubts()) {
    auto& known = doubts_[id];
    if (doubt.epoch != known.epoch || doubt.sequence_seen > known.sequence_seen) known = doubt;
  }
  demand_.clear();
  for (std::string& id : unsaved_claims_.coupons()) demand_.insert(std::move(id));
  for (const auto& [id, doubt] : doubts_) demand_.insert(id);
}

// Those with demand, taking turns when they are many.
Guard::Coupons Guard::wanted(const CatalogSnapshot& catalog) {
  std::set<std::string> wanted = demand_;
  wanted.insert(watched_.begin(), watched_.end());
  std::vector<std::string> ids(wanted.begin(), wanted.end());
  if (ids.size() > options_.demand_coupons_per_step) {
    const std::size_t first = demand_turn_ % ids.size();
    demand_turn_ = first + options_.demand_coupons_per_step;
    std::ranges::rotate(ids, ids.begin() + static_cast<std::ptrdiff_t>(first));
    ids.resize(options_.demand_coupons_per_step);
  }
  Coupons coupons;
  for (const std::string& id : ids) {
    auto coupon = catalog.find(id);
    if (coupon && coupon->phase() != Phase::unopened) coupons.push_back(std::move(coupon));
  }
  return coupons;
}

// A server that was emptied keeps its name. Where one coupon has lost something, all may have.
void Guard::sweep() {
  ask_progress(next_swept(progress_turn_, options_.sweep_progress_per_step * sweep_haste_));
  ask_states(next_swept(states_turn_, options_.sweep_states_per_step * sweep_haste_));
  sweep_haste_ = found_ > 0 ? std::min(sweep_haste_ * 4, options_.sweep_haste_max)
                            : std::max<std::size_t>(1, sweep_haste_ / 2);
}

Guard::Coupons Guard::next_swept(std::size_t& turn, std::size_t count) const {
  Coupons coupons;
  for (std::size_t i = 0; i < std::min(count, open_.size()); ++i)
    coupons.push_back(open_[turn++ % open_.size()]);
  return coupons;
}

void Guard::found(std::set<std::string>& suspects, const std::string& coupon_id, bool trusted) {
  const bool changed = trusted ? suspects.erase(coupon_id) > 0 : suspects.insert(coupon_id).second;
  if (changed) scan_due_ = true;
  if (changed && !trusted) ++found_;
}

void Guard::ask_progress(const Coupons& coupons) {
  if (coupons.empty()) return;
  std::vector<std::string> ids;
  for (const auto& coupon : coupons) ids.push_back(coupon->id);
  const auto answers = outbox_.progress(ids);
  invariant(answers.size() == ids.size(), one_answer_each);
  for (std::size_t i = 0; i < coupons.size(); ++i) {
    const Coupon& coupon = *coupons[i];
    const auto& answer = answers[i];
    if (!answer && answer.error().code == Errc::unavailable) continue;
    if (answer) progress_.insert_or_assign(coupon.id, *answer);
    const bool trusted = answer && answer->epoch == coupon.epoch;
    if (trusted) unsaved_claims_.persisted(coupon.id, coupon.epoch, answer->persisted);
    found(other_progress_, coupon.id, trusted);
  }
}

void Guard::ask_states(const Coupons& coupons) {
  if (coupons.empty()) return;
  std::vector<std::string> ids;
  for (const auto& coupon : coupons) ids.push_back(coupon->id);
  const auto answers = control_.states(ids);
  invariant(answers.size() == ids.size(), one_answer_each);
  for (std::size_t i = 0; i < coupons.size(); ++i) {
    const auto& answer = answers[i];
    if (!answer && answer.error().code == Errc::unavailable) continue;
    found(other_state_, ids[i], answer && is_whole(*answer, *coupons[i]));
  }
}

// A doubt that is unfounded costs nobody a lease.
void Guard::weigh_doubts(const CatalogSnapshot& catalog) {
  for (auto it = doubts_.begin(); it != doubts_.end();) {
    if (since_.contains(it->first)) {
      ++it;
      continue;
    }
    const auto coupon = catalog.find(it->first);
    const auto sound = coupon ? is_sound(*coupon) : Result<bool>(true);
    if (sound && !*sound) scan_due_ = true;
    it = sound && *sound ? doubts_.erase(it) : std::next(it);
  }
}

Result<bool> Guard::is_sound(const Coupon& row) {
  if (row.phase() == Phase::unopened) return true;
  if (!row.is_open() || row.gate != identity_->name()) return false;
  const auto progress = outbox_.progress({&row.id, 1}).front();
  if (!progress && progress.error().code == Errc::gate_behind) return false;
  if (!progress) return progress.error();
  if (progress->epoch != row.epoch) return false;
  const auto state = control_.state(row.id);
  if (!state && state.error().code == Errc::gate_behind) return false;
  if (!state) return state.error();
  const auto doubt = doubts_.find(row.id);
  const bool seen_more = doubt != doubts_.end() && doubt->second.epoch == row.epoch &&
                         state->sequence < doubt->second.sequence_seen;
  return is_whole(*state, row) && !seen_more;
}

bool Guard::suspicious(const Coupon& coupon) const {
  if (coupon.phase() == Phase::unopened) return false;
  if (!coupon.is_open() || doubts_.contains(coupon.id)) return true;
  if (other_progress_.contains(coupon.id) || other_state_.contains(coupon.id)) return true;
  return coupon.gate != identity_->name() && !former_names_.contains(coupon.gate);
}

void Guard::scan(const CatalogSnapshot& catalog) {
  const auto now = ticker().now();
  const Time wall = ticker().wall();
  std::vector<std::string> over;
  std::map<std::string, TimePoint> since;
  open_.clear();
  suspects_.clear();
  to_rename_.clear();
  for (const auto& [id, coupon] : catalog.coupons()) {
    if (coupon->is_open()) open_.push_back(coupon);
    if (!suspicious(*coupon)) {
      if (coupon->is_open() && coupon->gate != identity_->name())
        to_rename_.push_back({id, coupon->epoch, coupon->gate, coupon->epoch, identity_->name()});
      continue;
    }
    const auto known = since_.find(id);
    since.emplace(id, known == since_.end() ? now : known->second);
    (is_over(*coupon, wall) ? over : suspects_).push_back(id);
  }
  std::ranges::move(over, std::back_inserter(suspects_));
  since_ = std::move(since);
  for (auto* others : {&other_progress_, &other_state_})
    std::erase_if(*others, [&](const std::string& id) { return !since_.contains(id); });
}

// A part at each look; those with demand first.
void Guard::rename() {
  if (to_rename_.empty()) return;
  std::ranges::stable_partition(to_rename_,
                                [&](const CouponFence& fence) { return demand_.contains(fence.coupon_id); });
  const std::size_t count = std::min(options_.renamed_per_step, to_rename_.size());
  const auto renamed = store_.fence_coupons(std::span(to_rename_).first(count));
  if (!renamed) return;
  // Those whose row somebody holds have their turn again after the others.
  const auto first_left = to_rename_.begin() + static_cast<std::ptrdiff_t>(count);
  const auto done = std::stable_partition(to_rename_.begin(), first_left, [&](const CouponFence& fence) {
    return std::ranges::find(renamed->held, fence.coupon_id) == renamed->held.end();
  });
  std::rotate(done, first_left, to_rename_.end());
  to_rename_.erase(to_rename_.begin(), done);
  if (!renamed->changed.empty()) (void)catalog_.catalog().refresh();
}

std::vector<std::string> Guard::suspects_in_demand(std::size_t limit, const Wanted& wanted) const {
  std::vector<std::string> found;
  for (const std::string& id : demand_) {
    if (found.size() == limit) break;
    if (since_.contains(id) && wanted(id)) found.push_back(id);
  }
  return found;
}

std::vector<std::string> Guard::other_suspects(std::size_t limit, const Wanted& wanted) const {
  std::vector<std::string> found;
  for (const std::string& id : suspects_) {
    if (found.size() == limit) break;
    if (!demand_.contains(id) && since_.contains(id) && wanted(id)) found.push_back(id);
  }
  return found;
}

std::optional<Guard::TimePoint> Guard::oldest() const {
  std::optional<TimePoint> oldest;
  for (const auto& [id, since] : since_) oldest = std::min(oldest.value_or(since), since);
  return oldest;
}

void Guard::cleared(const std::string& coupon_id) {
  doubts_.erase(coupon_id);
  other_progress_.erase(coupon_id);
  other_state_.erase(coupon_id);
  since_.erase(coupon_id);
}

std::optional<Outbox::Progress> Guard::progress(const std::string& coupon_id) const {
  const auto found = progress_.find(coupon_id);
  return found == progress_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace seonchak
