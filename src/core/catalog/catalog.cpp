#include "core/catalog/catalog.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/named_thread.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

Result<void> stopped() {
  return Error{Errc::unavailable, "the process is stopping"};
}

}  // namespace

std::vector<std::string> CatalogSnapshot::open_ids() const {
  std::vector<std::string> ids;
  for (const auto& [id, coupon] : coupons_) {
    if (coupon->phase() != Phase::unopened) ids.push_back(id);
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

Catalog::Catalog(Store& store, CatalogOptions options)
    : store_(store),
      options_(options),
      snapshot_(std::make_shared<CatalogSnapshot>(CatalogSnapshot::Coupons{})) {}

Catalog::~Catalog() {
  stop();
}

void Catalog::listen(Changed changed) {
  const MutexLock refreshing(refresh_mutex_);
  changed_ = std::move(changed);
}

Result<void> Catalog::start() {
  if (auto loaded = refresh(); !loaded) return loaded;
  thread_ = named_thread("catalog", [this] { run(); });
  return {};
}

void Catalog::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const CatalogSnapshot> Catalog::snapshot() const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

void Catalog::refresh_then(AfterRefresh done) {
  {
    MutexLock lock(mutex_);
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

// False when there may be more.
Result<bool> Catalog::read_page(Reading& reading, Found& changed) {
  auto page = store_.coupons_since(reading.revision, coupons_page_max);
  if (!page) return page.error();
  if (page->empty()) return true;
  const auto known = snapshot();
  for (Coupon& row : *page) {
    // What moves back would be read for ever.
    if (row.revision <= reading.revision)
      return Error{Errc::unavailable, "the store gives coupon " + row.id + " out of order"};
    reading.revision = row.revision;
    const bool added = !known->find(row.id) && !reading.coupons.contains(row.id);
    const bool fits = !added || reading.added < reading.room;
    if (const auto why = why_not_served(row); why || !fits) {
      leave_out(row, why ? std::string(*why) : too_many(), reading);
      if (reading.coupons.erase(row.id) > 0)
        std::erase_if(changed, [&](const auto& coupon) { return coupon->id == row.id; });
      continue;
    }
    if (added) ++reading.added;
    reading.unserved.erase(row.id);
    const auto coupon = std::make_shared<const Coupon>(std::move(row));
    reading.coupons.insert_or_assign(coupon->id, coupon);
    changed.push_back(coupon);
  }
  return page->size() < coupons_page_max;
}

std::string Catalog::too_many() const {
  return "too many coupons: " + std::to_string(options_.coupons_max) + " are";
}

void Catalog::leave_out(const Coupon& row, const std::string& why, Reading& reading) {
  const bool told = unserved_.contains(row.id) || reading.unserved.contains(row.id);
  if (!told) log::error("coupon not served: " + why, {{"coupon", row.id}});
  reading.unserved.insert_or_assign(row.id, row.revision);
}

// What was read before a failure counts, too: revision_ moves past it.
Result<void> Catalog::fetch_changes(Reading& reading, Found& changed) {
  while (true) {
    const auto last = read_page(reading, changed);
    if (!last) return last.error();
    if (*last) return {};
  }
}

void Catalog::publish(CatalogSnapshot::Coupons coupons) {
  const MutexLock lock(mutex_);
  snapshot_ = std::make_shared<const CatalogSnapshot>(std::move(coupons));
  version_.fetch_add(1, std::memory_order_release);
}

Result<void> Catalog::refresh() {
  const MutexLock refreshing(refresh_mutex_);
  const auto began = ticker().now();
  const auto before = snapshot();
  Reading reading{.revision = revision_,
                  .room = options_.coupons_max - std::min(options_.coupons_max, before->coupons().size())};
  Found changed;
  std::vector<std::string> gone;
  const auto outcome = fetch_changes(reading, changed);
  revision_ = reading.revision;
  for (auto& [id, revision] : reading.unserved) {
    unserved_.insert_or_assign(id, revision);
    if (before->find(id)) gone.push_back(id);
  }
  if (!changed.empty() || !gone.empty()) {
    auto coupons = before->coupons();
    for (const std::string& id : gone) coupons.erase(id);
    for (auto& [id, coupon] : reading.coupons) {
      unserved_.erase(id);
      coupons.insert_or_assign(id, std::move(coupon));
    }
    publish(std::move(coupons));
  }
  if (outcome) current_as_of_.store(began.time_since_epoch().count(), std::memory_order_release);
  if (changed_ && !(changed.empty() && gone.empty())) changed_(changed, gone);
  if (outcome && reload_) go_on_reloading();
  if (outcome && !reload_) compare(began);
  return outcome;
}

CouponTotals Catalog::totals() const {
  const auto known = snapshot();
  CouponTotals totals{.revision_max = revision_};
  totals.count = static_cast<std::int64_t>(known->coupons().size() + unserved_.size());
  for (const auto& [id, coupon] : known->coupons()) totals.checksum += revision_checksum(coupon->revision);
  for (const auto& [id, revision] : unserved_) totals.checksum += revision_checksum(revision);
  return totals;
}

// Nothing is concluded while somebody else has changed a coupon since the refresh: the next one tells.
void Catalog::compare(TimePoint time) {
  if (time < next_compare_ && !in_doubt_.exchange(false, std::memory_order_relaxed)) return;
  next_compare_ = time + options_.compare_period;
  const auto in_store = store_.coupon_totals();
  if (!in_store) return;
  if (in_store->revision_max > revision_) {
    next_compare_ = time + options_.refresh_period;
    return;
  }
  const CouponTotals known = totals();
  if (*in_store == known) return;
  log::warn("the store does not have the coupons that are known here: reading them all anew",
            {{"known", known.count},
             {"known_revision", known.revision_max},
             {"in_store", in_store->count},
             {"store_revision", in_store->revision_max}});
  // What is known and gone takes no room; how much that is shows in the end.
  reload_.emplace(Reading{.room = options_.coupons_max});
  go_on_reloading();
}

void Catalog::go_on_reloading() {
  Found found;  // told of in the end
  for (std::size_t i = 0; i < options_.reload_pages_per_refresh; ++i) {
    const auto last = read_page(*reload_, found);
    if (!last) return reload_.reset();  // begun again at the next comparison
    if (*last) return finish_reload();
  }
}

// What has been read in order of revision up to an empty page is all there is: a row that changed meanwhile
// moved to the end, and was read there once more.
void Catalog::finish_reload() {
  Reading reading = std::move(*reload_);
  reload_.reset();
  leave_out_too_many(reading);
  const auto before = snapshot();
  Found changed;
  for (auto& [id, coupon] : reading.coupons) {
    const auto known = before->find(id);
    if (known && *known == *coupon) {
      coupon = known;
    } else {
      changed.push_back(coupon);
    }
  }
  std::vector<std::string> gone;
  for (const auto& [id, coupon] : before->coupons()) {
    if (!reading.coupons.contains(id)) gone.push_back(id);
  }
  std::ranges::sort(changed, {}, [](const auto& coupon) { return coupon->revision; });
  log::warn("the coupons are what the store has now",
            {{"coupons", reading.coupons.size()}, {"changed", changed.size()}, {"gone", gone.size()}});
  revision_ = reading.revision;
  unserved_ = std::move(reading.unserved);
  publish(std::move(reading.coupons));
  if (changed_ && !(changed.empty() && gone.empty())) changed_(changed, gone);
}

// Those that are served stay so; of the others, the ones that were left alone the longest come first.
void Catalog::leave_out_too_many(Reading& reading) {
  const auto known = snapshot();
  Found added;
  for (const auto& [id, coupon] : reading.coupons) {
    if (!known->find(id)) added.push_back(coupon);
  }
  std::ranges::sort(added, {}, [](const auto& coupon) { return coupon->revision; });
  const std::size_t kept = reading.coupons.size() - added.size();
  const std::size_t room = options_.coupons_max - std::min(options_.coupons_max, kept);
  for (std::size_t i = room; i < added.size(); ++i) {
    leave_out(*added[i], too_many(), reading);
    reading.coupons.erase(added[i]->id);
  }
}

void Catalog::run() {
  bool store_up = true;
  MutexLock lock(mutex_);
  while (!stopping_) {
    lock.wait_for(wake_, options_.refresh_period,
                  [this]() REQUIRES(mutex_) { return stopping_ || !after_refresh_.empty(); });
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
