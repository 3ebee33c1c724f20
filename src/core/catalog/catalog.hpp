#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
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

  /// How often what is known is compared with what the store has: rows may be gone, or what they were before.
  std::chrono::milliseconds compare_period{5'000};
  std::size_t reload_pages_per_refresh = 8;  ///< so that a refresh stays short while everything is read anew
  std::size_t misses_max = 100'000;          ///< waiting for one refresh; the next is `overloaded`
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
/// Changes are found by their revisions. What has no revision to be found by (rows that were deleted, a store
/// that has fallen back to what it was) shows in the totals: then everything is read anew, page by page,
/// while what is known goes on being served and each change of it being heard of; docs/decisions/0019.
///
/// Safe from any thread.
class Catalog {
 public:
  explicit Catalog(Store& store, CatalogOptions options = {});
  ~Catalog();

  /// Calls `changed` with what each refresh has found, in order of revision, and with what is gone, once it
  /// is published; on the refreshing thread, which it must not hold up, and never at the same time twice. One
  /// listener; an empty one ends it, and is not called any more when this returns.
  using Changed = std::function<void(std::span<const std::shared_ptr<const Coupon>> coupons,
                                     std::span<const std::string> gone)>;
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

  /// The store has said something that does not fit: the next refresh compares.
  void doubt() { in_doubt_.store(true, std::memory_order_relaxed); }

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
  using TimePoint = std::chrono::steady_clock::time_point;
  using Found = std::vector<std::shared_ptr<const Coupon>>;

  /// What was read of the store, in order of revision.
  struct Reading {
    Revision revision = 0;  // everything up to here
    CatalogSnapshot::Coupons
        coupons{};                 // all there are; for the one under way only once something has changed
    TextMap<Revision> unserved{};  // rows that are not served, and their revisions
    std::size_t room = 0;          // for coupons that the snapshot does not have
    std::size_t added = 0;         // of those
  };

  Result<bool> read_page(Reading& reading, Found& changed) REQUIRES(refresh_mutex_);
  Result<void> fetch_changes(Reading& reading, Found& changed) REQUIRES(refresh_mutex_);
  std::string too_many() const;
  void leave_out(const Coupon& row, const std::string& why, Reading& reading) REQUIRES(refresh_mutex_);
  void leave_out_too_many(Reading& reading) REQUIRES(refresh_mutex_);
  void compare(TimePoint time) REQUIRES(refresh_mutex_);
  void go_on_reloading() REQUIRES(refresh_mutex_);
  void finish_reload() REQUIRES(refresh_mutex_);
  CouponTotals totals() const REQUIRES(refresh_mutex_);
  void publish(CatalogSnapshot::Coupons coupons);

  Store& store_;
  const CatalogOptions options_;

  Mutex refresh_mutex_;  // serialises refresh(); held before mutex_
  Revision revision_ GUARDED_BY(refresh_mutex_) = 0;
  TextMap<Revision> unserved_ GUARDED_BY(refresh_mutex_);
  std::optional<Reading> reload_ GUARDED_BY(refresh_mutex_);
  TimePoint next_compare_ GUARDED_BY(refresh_mutex_){};
  Changed changed_ GUARDED_BY(refresh_mutex_);

  mutable Mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const CatalogSnapshot> snapshot_ GUARDED_BY(mutex_);
  std::vector<AfterRefresh> after_refresh_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::atomic<bool> in_doubt_{false};
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
