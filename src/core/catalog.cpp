#include "core/catalog.hpp"

#include <utility>

#include "base/log.hpp"
#include "base/named_thread.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

Error overtaken(const std::string& coupon_id) {
  return {Errc::gate_epoch, "another process opens coupon " + coupon_id};
}

Result<void> stopped() {
  return Error{Errc::unavailable, "the process is stopping"};
}

}  // namespace

Coupon committed_for_gate(Coupon coupon) {
  coupon.revision = coupon.revision * 2;
  return coupon;
}

Coupon proposed_for_gate(Coupon coupon) {
  coupon.revision = coupon.revision * 2 + 1;
  return coupon;
}

bool loosens(const GateState& gate, const Coupon& coupon) {
  return coupon.stock > gate.stock || coupon.opens_at != gate.opens_at || coupon.closes_at != gate.closes_at;
}

bool has_revision(const GateState& gate, const Coupon& coupon) {
  return gate.epoch == coupon.epoch && gate.revision >= committed_for_gate(coupon).revision;
}

Result<void> open_coupon(Store& store, GateControl& gate, Coupon& coupon) {
  const auto identity = gate.identity(coupon.id);
  if (!identity) return identity.error();
  bool already_open = false;
  auto drawn = store.update_coupon(coupon.id, [&](Coupon& row) -> Result<void> {
    already_open = row.settled > 0;
    if (already_open) return overtaken(row.id);
    ++row.epoch;
    row.gate = identity->name();
    return {};
  });
  if (already_open) drawn = store.coupon(coupon.id);
  if (!drawn) return drawn.error();
  coupon = *drawn;
  if (already_open) return {};
  return open_drawn_coupon(store, gate, coupon);
}

Result<void> open_drawn_coupon(Store& store, GateControl& gate, Coupon& coupon) {
  if (auto installed = gate.install(committed_for_gate(coupon)); !installed) return installed.error();
  auto settled = store.update_coupon(coupon.id, [&](Coupon& row) -> Result<void> {
    if (row.epoch != coupon.epoch) return overtaken(coupon.id);
    row.settled = row.epoch;
    return {};
  });
  if (!settled) return settled.error();
  coupon = *settled;
  return {};
}

std::vector<std::string> CatalogSnapshot::open_ids() const {
  std::vector<std::string> ids;
  for (const auto& [id, coupon] : coupons_) {
    if (coupon->settled > 0) ids.push_back(id);
  }
  return ids;
}

std::shared_ptr<const Coupon> CatalogSnapshot::find(std::string_view id) const {
  const auto found = coupons_.find(id);
  return found == coupons_.end() ? nullptr : found->second;
}

const CatalogSnapshot& CatalogReader::current() {
  const std::uint64_t version = catalog_.version();
  if (!snapshot_ || version != version_) {
    snapshot_ = catalog_.snapshot();
    version_ = version;
  }
  return *snapshot_;
}

Catalog::Catalog(Store& store, GateControl* gate, CatalogOptions options)
    : store_(store),
      gate_(gate),
      options_(options),
      snapshot_(std::make_shared<CatalogSnapshot>(CatalogSnapshot::Coupons{})) {}

Catalog::~Catalog() {
  stop();
}

Result<void> Catalog::start() {
  if (auto loaded = refresh(); !loaded) return loaded;
  thread_ = named_thread("catalog", [this] { run(); });
  return {};
}

void Catalog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const CatalogSnapshot> Catalog::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Catalog::refresh_then(AfterRefresh done) {
  {
    std::unique_lock lock(mutex_);
    if (stopping_) {
      lock.unlock();
      return done(stopped());
    }
    if (after_refresh_.size() >= options_.misses_max) {
      lock.unlock();
      return done(Error{Errc::overloaded, "too many requests for unknown coupons"});
    }
    after_refresh_.push_back(std::move(done));
  }
  wake_.notify_all();
}

// One question for all: at start every coupon is pending.
Catalog::GateStates Catalog::look_at_pending() {
  std::vector<std::string> ids;
  for (const auto& [id, pending] : pending_) {
    if (pending.coupon.settled > 0 && !pending.due) ids.push_back(id);
  }
  GateStates seen;
  if (ids.empty()) return seen;
  const auto states = gate_->states(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (states[i]) seen.emplace(ids[i], *states[i]);
  }
  return seen;
}

// False when it is too early.
Result<bool> Catalog::carry_to_gate(Pending& pending, const GateStates& seen) {
  Coupon& coupon = pending.coupon;
  if (coupon.settled == 0) {
    if (auto opened = open_coupon(store_, *gate_, coupon); !opened) return opened.error();
  }
  const auto time = ticker().now();
  if (!pending.due) {
    const auto found = seen.find(coupon.id);
    const auto state = found == seen.end() ? gate_->state(coupon.id) : Result<GateState>(found->second);
    if (!state) return state.error();
    if (has_revision(*state, coupon)) return true;
    pending.due = loosens(*state, coupon) ? time + options_.loosening_delay : time;
  }
  if (time < *pending.due) return false;
  if (auto configured = gate_->configure(committed_for_gate(coupon)); !configured) return configured.error();
  return true;
}

std::size_t Catalog::carry_pending() {
  const GateStates seen = look_at_pending();
  std::size_t opened = 0;
  for (auto it = pending_.begin(); it != pending_.end();) {
    Coupon& coupon = it->second.coupon;
    const bool was_open = coupon.settled > 0;
    const auto carried = carry_to_gate(it->second, seen);
    if (!was_open && coupon.settled > 0) ++opened;
    if (carried) {
      it = *carried ? pending_.erase(it) : std::next(it);
      continue;
    }
    // A coupon that is being recovered is carried when it is open again; the recovery tells of itself.
    const bool recovers = coupon.settled > 0 && carried.error().code != Errc::unavailable;
    const auto write = recovers ? log::debug : log::warn;
    write(
        "coupon not carried to the gate yet",
        {{"coupon", it->first}, {"code", to_string(carried.error().code)}, {"why", carried.error().message}});
    if (carried.error().code == Errc::unavailable) break;
    ++it;
  }
  return opened;
}

// `changed` tells of what was read before a failure, too: revision_ has moved past it.
Result<void> Catalog::fetch_changes(CatalogSnapshot::Coupons& coupons, bool& changed) {
  while (true) {
    auto page = store_.coupons_since(revision_, coupons_page_max);
    if (!page) return page.error();
    if (page->empty()) return {};
    const bool last = page->size() < coupons_page_max;
    if (!changed) coupons = snapshot()->coupons();
    changed = true;
    for (const Coupon& coupon : *page) {
      revision_ = coupon.revision;
      const bool known = coupons.contains(coupon.id);
      if (!known && coupons.size() >= options_.coupons_max) {
        log::error("coupon not served: too many coupons",
                   {{"coupon", coupon.id}, {"max", options_.coupons_max}});
        continue;
      }
      coupons[coupon.id] = std::make_shared<const Coupon>(coupon);
      if (gate_ != nullptr) pending_[coupon.id] = {coupon};
    }
    if (last) return {};
  }
}

Result<void> Catalog::refresh() {
  const std::lock_guard refreshing(refresh_mutex_);
  const auto began = ticker().now();
  CatalogSnapshot::Coupons coupons;
  bool changed = false;
  auto fetched = fetch_changes(coupons, changed);
  // The gate hears of a change before this process acts on it; opening a coupon is itself a change to fetch.
  if (carry_pending() > 0 && fetched) {
    fetched = fetch_changes(coupons, changed);
    carry_pending();
  }
  if (changed) {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::make_shared<const CatalogSnapshot>(std::move(coupons));
    version_.fetch_add(1, std::memory_order_release);
  }
  if (fetched) current_as_of_.store(began.time_since_epoch().count(), std::memory_order_release);
  return fetched;
}

void Catalog::run() {
  bool store_up = true;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, options_.refresh_period, [this] { return stopping_ || !after_refresh_.empty(); });
    if (stopping_) break;
    auto done = std::exchange(after_refresh_, {});
    lock.unlock();
    const auto refreshed = refresh();
    if (refreshed.has_error() && store_up) {
      log::warn("coupon catalog is stale: the store does not answer", {{"why", refreshed.error().message}});
    }
    store_up = refreshed.has_value();
    for (const auto& call : done) call(refreshed);
    if (!done.empty()) ticker().sleep_for(options_.refresh_spacing);
    lock.lock();
  }
  const auto done = std::exchange(after_refresh_, {});
  lock.unlock();
  for (const auto& call : done) call(stopped());
}

}  // namespace seonchak
