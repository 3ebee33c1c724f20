#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "base/text_hash.hpp"
#include "core/model/coupon.hpp"
#include "core/model/times.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct CatalogOptions {
  std::chrono::milliseconds refresh_period = safety_times.catalog_refresh_period;
  std::chrono::milliseconds refresh_spacing{
      20};                            ///< the least time between two refreshes asked for by misses
  std::size_t coupons_max = 100'000;  ///< more coupons than this in the store: the rest is not served
  std::size_t misses_max = 100'000;   ///< waiting for one refresh; the next is `overloaded`
};

/// All coupons as of one moment; immutable.
class CatalogSnapshot {
 public:
  using Coupons = TextMap<std::shared_ptr<const Coupon>>;

  explicit CatalogSnapshot(Coupons coupons) : coupons_(std::move(coupons)) {}

  /// Nothing for an unknown coupon. The coupon lives as long as the caller holds it.
  std::shared_ptr<const Coupon> find(std::string_view id) const;
  const Coupons& coupons() const { return coupons_; }

  /// The coupons that have been opened, those under recovery included.
  std::vector<std::string> open_ids() const;

 private:
  Coupons coupons_;
};

/// What a process knows of the coupons, kept in step with the store by a thread of its own, so that a request
/// for an unknown coupon never costs a query: misses join the next refresh. It touches nothing but the store:
/// that it is up to date, and says so, waits for nobody else.
///
/// Safe from any thread.
class Catalog {
 public:
  explicit Catalog(Store& store, CatalogOptions options = {});
  ~Catalog();

  /// Calls `changed` with what each refresh has found, in order of revision, once it is published; on the
  /// refreshing thread, which it must not hold up, and never at the same time twice. One listener; an empty
  /// one ends it, and is not called any more when this returns.
  using Changed = std::function<void(std::span<const std::shared_ptr<const Coupon>> coupons)>;
  void listen(Changed changed);

  /// Loads everything once and starts the thread. Fails when the store does not answer.
  Result<void> start();
  void stop();

  /// Loads what changed since the last time, on the calling thread, and publishes it.
  Result<void> refresh();

  /// Runs `done` on the catalog's thread after a refresh that began after this call, with that refresh's
  /// outcome: a coupon that is still unknown after a failed one may exist all the same. Runs it at once, on
  /// the calling thread, when too many wait (`overloaded`) or the catalog has stopped (`unavailable`).
  using AfterRefresh = std::function<void(const Result<void>& refreshed)>;
  void refresh_then(AfterRefresh done);

  std::shared_ptr<const CatalogSnapshot> snapshot() const;

  /// When the last successful refresh began: everything committed before is in the snapshot.
  std::chrono::steady_clock::time_point current_as_of() const {
    return std::chrono::steady_clock::time_point(
        std::chrono::steady_clock::duration(current_as_of_.load(std::memory_order_acquire)));
  }

  /// Changes whenever snapshot() does.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  void run();
  struct Fetched;
  Result<void> fetch_changes(Fetched& fetched) REQUIRES(refresh_mutex_);

  Store& store_;
  const CatalogOptions options_;

  Mutex refresh_mutex_;  // serialises refresh(); held before mutex_
  Revision revision_ GUARDED_BY(refresh_mutex_) = 0;
  Changed changed_ GUARDED_BY(refresh_mutex_);

  mutable Mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const CatalogSnapshot> snapshot_ GUARDED_BY(mutex_);
  std::vector<AfterRefresh> after_refresh_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::chrono::steady_clock::rep> current_as_of_{0};
  std::thread thread_;
};

/// One thread's view of the catalog: looks at the shared one only when it has changed.
class CatalogReader {
 public:
  explicit CatalogReader(Catalog& catalog) : catalog_(catalog) {}

  std::shared_ptr<const Coupon> find(std::string_view id) { return current().find(id); }
  const CatalogSnapshot& current();
  std::uint64_t version() const { return version_; }
  Catalog& catalog() { return catalog_; }

 private:
  Catalog& catalog_;
  std::shared_ptr<const CatalogSnapshot> snapshot_;
  std::uint64_t version_ = 0;
};

}  // namespace seonchak
