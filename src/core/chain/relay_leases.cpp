#include "core/chain/relay_leases.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

constexpr std::chrono::milliseconds acks_period{1'000};

}  // namespace

RelayLeases::RelayLeases(Outbox& outbox, CatalogReader& catalog, Watermarks& watermarks,
                         RelayLeasesOptions options)
    : outbox_(outbox),
      catalog_(catalog),
      watermarks_(watermarks),
      options_(std::move(options)),
      sweep_(outbox, options_.sweep) {}

std::chrono::steady_clock::time_point RelayLeases::due() const {
  const TimePoint due = std::min(next_hints_, sweep_.due());
  return owned_.empty() ? due : std::min(due, next_renewal_);
}

Result<std::vector<RelayLeases::Change>> RelayLeases::step(bool all_now, const Drained& drained) {
  const auto time = ticker().now();
  const bool renews = time >= next_renewal_;
  const bool looks = all_now || time >= next_hints_;
  Ids fresh = std::exchange(swept_, {});
  if (const std::uint64_t wants = watermarks_.wants(); looks || wants != wants_seen_) {
    wants_seen_ = wants;
    for (const std::string& id : watermarks_.wanted()) add(id, fresh);
  }
  if (looks) {
    if (const auto found = find_hinted(renews ? options_.all_hints_max : options_.hints_max, fresh); !found)
      return found.error();
    next_hints_ = time + (users_may_wait() ? options_.hints_period : options_.hints_period_unhurried);
  }
  std::vector<Change> changes;
  if (renews) {
    leave_gone(changes);
    add_unusable(fresh);
  }
  if (renews || !fresh.empty()) {
    std::vector<std::string> ids(fresh.begin(), fresh.end());
    if (renews) {
      for (const auto& [id, owned] : owned_) ids.push_back(id);
    }
    auto leased = lease(ids);
    if (!leased) return leased;
    std::ranges::move(*leased, std::back_inserter(changes));
  }
  if (renews) {
    next_renewal_ = time + options_.period;
    std::erase_if(not_before_, [&](const auto& entry) { return entry.second <= time; });
    give_back(std::vector<Change>(changes), drained, changes);
  }
  if (time >= sweep_.due()) {
    const auto found = sweep_.step(catalog_.current());
    if (!found) return changes;
    for (const std::string& id : *found) add(id, swept_);
    if (!swept_.empty()) next_hints_ = {};
  }
  return changes;
}

void RelayLeases::add(const std::string& id, Ids& ids) {
  if (owned_.contains(id)) return;
  const auto coupon = catalog_.find(id);
  if (!coupon || coupon->phase() == Phase::unopened) return;
  if (const auto later = not_before_.find(id); later != not_before_.end() && ticker().now() < later->second)
    return;
  ids.insert(id);
}

Result<void> RelayLeases::find_hinted(std::size_t limit, Ids& fresh) {
  const auto active = outbox_.active(limit);
  if (!active && active.error().code == Errc::unavailable) return active.error();
  if (!active) return {};  // the hints alone cannot be used: the sweep finds what there is
  for (const auto& [id, hint] : *active) {
    const auto owned = owned_.find(id);
    if (owned == owned_.end()) {
      add(id, fresh);
    } else if (owned->second.hint != hint) {
      owned->second = {ticker().now(), hint};
    }
  }
  return {};
}

bool RelayLeases::users_may_wait() {
  const auto time = ticker().now();
  if (time < next_look_at_acks_) return may_wait_;
  next_look_at_acks_ = time + acks_period;
  may_wait_ = std::ranges::any_of(catalog_.current().coupons(), [](const auto& entry) {
    const Coupon& coupon = *entry.second;
    return coupon.ack != Ack::gate && coupon.phase() != Phase::unopened && !coupon.closed;
  });
  return may_wait_;
}

Result<std::vector<RelayLeases::Change>> RelayLeases::lease(const std::vector<std::string>& ids) {
  if (ids.empty()) return std::vector<Change>();
  const auto time = ticker().now();
  const auto leased = outbox_.lease(ids, options_.owner, options_.ttl);
  invariant(leased.size() == ids.size(), one_answer_each);
  if (const auto down = nobody_reached(leased)) return *down;
  std::vector<Change> changes;
  std::vector<std::string> ours;
  std::vector<std::string> unusable;
  const auto give_up = [&](const std::string& id, const Error& error) {
    note_unusable(id, error);
    unusable.push_back(id);
    changes.push_back({id, std::nullopt});
  };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (leased[i].has_value()) {
      if (*leased[i]) {
        ours.push_back(ids[i]);
      } else {
        drop(ids[i], time + options_.period, changes);
      }
    } else if (leased[i].error().code != Errc::unavailable) {
      give_up(ids[i], leased[i].error());
    }
  }
  const auto progress = outbox_.progress(ours);
  invariant(progress.size() == ours.size(), one_answer_each);
  if (const auto down = nobody_reached(progress)) return *down;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const std::string& id = ours[i];
    if (progress[i].has_value()) {
      // Shut: its outbox is being written anew.
      if (progress[i]->epoch == 0) {
        drop(id, time + options_.period, changes);
        continue;
      }
      owned_.try_emplace(id, Owned{time, std::nullopt});
      changes.push_back({id, *progress[i]});
    } else if (progress[i].error().code != Errc::unavailable) {
      give_up(id, progress[i].error());
    }
  }
  if (const auto looked = look_for_waiting(unusable); !looked) return looked.error();
  return changes;
}

// What waits of a coupon that the store does not have stays in its outbox: should the row come back, it is
// saved.
void RelayLeases::leave_gone(std::vector<Change>& changes) {
  std::vector<std::string> ids;
  for (const auto& [id, owned] : owned_) {
    if (!catalog_.find(id)) ids.push_back(id);
  }
  if (ids.empty()) return;
  (void)outbox_.release(ids, options_.owner);
  for (const std::string& id : ids) {
    owned_.erase(id);
    changes.push_back({id, std::nullopt});
  }
}

void RelayLeases::drop(const std::string& id, TimePoint again_at, std::vector<Change>& changes) {
  not_before_[id] = again_at;
  unusable_.erase(id);
  if (owned_.erase(id) > 0) changes.push_back({id, std::nullopt});
}

void RelayLeases::cannot_use(const std::string& id, const Error& error) {
  auto& waits_since = note_unusable(id, error).waits_since;
  if (!waits_since) waits_since = ticker().now();
}

void RelayLeases::could_read() {
  std::erase_if(unusable_, [this](const auto& entry) { return owned_.contains(entry.first); });
}

RelayLeases::Unusable& RelayLeases::note_unusable(const std::string& id, const Error& error) {
  owned_.erase(id);
  not_before_[id] = ticker().now() + options_.unusable_retry;
  const auto [noted, is_new] = unusable_.try_emplace(id, Unusable{error});
  noted->second.error = error;
  if (is_new)
    log::warn("the outbox of a coupon cannot be used",
              {{"coupon", id}, {"code", to_string(error.code)}, {"why", error.message}});
  return noted->second;
}

// Without a hint, too: what is told of them must be true.
void RelayLeases::add_unusable(Ids& ids) {
  std::erase_if(unusable_, [this](const auto& entry) { return !catalog_.find(entry.first); });
  for (const auto& [id, unusable] : unusable_) add(id, ids);
}

// An outbox that cannot be read counts as one that has something.
Result<void> RelayLeases::look_for_waiting(const std::vector<std::string>& unusable) {
  if (unusable.empty()) return {};
  std::vector<Watermark> from_start;
  for (const std::string& id : unusable) from_start.push_back({id, 0, 0});
  const auto read = outbox_.read(from_start, 1, std::chrono::milliseconds(0));
  if (!read) return read.error();
  Ids waiting;
  for (const OutboxEntry& entry : read->entries) waiting.insert(entry.coupon_id);
  for (const CouponFailure& failure : read->failed) waiting.insert(failure.coupon_id);
  for (const std::string& id : unusable) {
    auto& waits_since = unusable_.at(id).waits_since;
    if (!waiting.contains(id)) waits_since.reset();
    if (waiting.contains(id) && !waits_since) waits_since = ticker().now();
  }
  return {};
}

std::size_t RelayLeases::stuck() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      unusable_, [](const auto& entry) { return entry.second.waits_since.has_value(); }));
}

std::optional<RelayLeases::Stuck> RelayLeases::longest_stuck() const {
  std::optional<Stuck> longest;
  for (const auto& [id, unusable] : unusable_) {
    if (!unusable.waits_since || (longest && longest->since <= *unusable.waits_since)) continue;
    longest = {id, unusable.error.message, *unusable.waits_since};
  }
  return longest;
}

void RelayLeases::busy(const std::string& coupon_id) {
  if (const auto owned = owned_.find(coupon_id); owned != owned_.end())
    owned->second.busy_at = ticker().now();
}

// A claim after its hint is settled leaves another: the pause is longer than a caller goes without one.
void RelayLeases::give_back(const std::vector<Change>& renewed, const Drained& drained,
                            std::vector<Change>& changes) {
  const auto time = ticker().now();
  std::vector<std::string> ids;
  for (const auto& [id, progress] : renewed) {
    if (!progress || ids.size() >= options_.settled_per_step_max) continue;
    const auto owned = owned_.find(id);
    if (owned == owned_.end() || time - owned->second.busy_at < options_.quiet || !drained(id, *progress))
      continue;
    const auto& hint = owned->second.hint;
    if (hint && !outbox_.settle_active(id, *hint)) continue;
    ids.push_back(id);
  }
  if (ids.empty()) return;
  (void)outbox_.release(ids, options_.owner);
  for (const std::string& id : ids) {
    owned_.erase(id);
    changes.push_back({id, std::nullopt});
  }
}

void RelayLeases::release() {
  std::vector<std::string> ids;
  for (const auto& [id, owned] : owned_) ids.push_back(id);
  for (const auto& released : outbox_.release(ids, options_.owner)) {
    if (!released) log::debug("a lease is not given back", {{"why", released.error().message}});
  }
  owned_.clear();
  next_renewal_ = {};
  next_hints_ = {};
}

}  // namespace seonchak
