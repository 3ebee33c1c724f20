#include "core/catalog/catalog.hpp"

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

/// What one refresh has read.
struct Catalog::Fetched {
  CatalogSnapshot::Coupons coupons;                    // all there are; only once something has changed
  std::vector<std::shared_ptr<const Coupon>> changed;  // in order of revision
};

// What was read before a failure counts, too: revision_ has moved past it.
Result<void> Catalog::fetch_changes(Fetched& fetched) {
  while (true) {
    auto page = store_.coupons_since(revision_, coupons_page_max);
    if (!page) return page.error();
    if (page->empty()) return {};
    if (fetched.coupons.empty()) fetched.coupons = snapshot()->coupons();
    const bool last = page->size() < coupons_page_max;
    for (Coupon& row : *page) {
      // What moves back would be read for ever.
      if (row.revision <= revision_)
        return Error{Errc::unavailable, "the store gives coupon " + row.id + " out of order"};
      revision_ = row.revision;
      // A row that somebody else has written: ids become parts of keys and messages as they are.
      if (!valid_coupon_id(row.id)) {
        log::error("coupon not served: its id is not a valid one", {{"coupon", row.id}});
        continue;
      }
      const bool known = fetched.coupons.contains(row.id);
      if (!known && fetched.coupons.size() >= options_.coupons_max) {
        log::error("coupon not served: too many coupons",
                   {{"coupon", row.id}, {"max", options_.coupons_max}});
        continue;
      }
      const auto coupon = std::make_shared<const Coupon>(std::move(row));
      fetched.coupons[coupon->id] = coupon;
      fetched.changed.push_back(coupon);
    }
    if (last) return {};
  }
}

Result<void> Catalog::refresh() {
  const MutexLock refreshing(refresh_mutex_);
  const auto began = ticker().now();
  Fetched fetched;
  auto outcome = fetch_changes(fetched);
  if (!fetched.changed.empty()) {
    const MutexLock lock(mutex_);
    snapshot_ = std::make_shared<const CatalogSnapshot>(std::move(fetched.coupons));
    version_.fetch_add(1, std::memory_order_release);
  }
  if (outcome) current_as_of_.store(began.time_since_epoch().count(), std::memory_order_release);
  if (changed_ && !fetched.changed.empty()) changed_(fetched.changed);
  return outcome;
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
