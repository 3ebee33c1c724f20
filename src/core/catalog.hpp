#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/text_hash.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct CatalogOptions {
  std::chrono::milliseconds refresh_period{250};  ///< so a change is known everywhere well within a second
  std::chrono::milliseconds refresh_spacing{
      20};  ///< the least time between two refreshes asked for by misses

  /// A change that may let somebody in who was refused before reaches the gate this long after it is known to
  /// be committed: longer than RefusalsOptions::lease where a process refuses from memory, so that
  /// nobody refuses by what was before when somebody else is let in.
  std::chrono::milliseconds loosening_delay{0};
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
/// for an unknown coupon never costs a query: misses join the next refresh.
///
/// With a GateControl it also carries every change to the gate: it opens coupons that were created but never
/// opened, and applies each new revision. That heals a crash between the store's commit and the gate's, in
/// every process.
///
/// Safe from any thread.
class Catalog {
 public:
  /// `gate` may be null for a process that only reads.
  Catalog(Store& store, GateControl* gate, CatalogOptions options = {});
  ~Catalog();

  /// Loads everything once and starts the thread. Fails when the store does not answer.
  Result<void> start();
  void stop();

  /// Loads what changed since the last time, on the calling thread.
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
  struct Pending {
    Coupon coupon;
    std::optional<std::chrono::steady_clock::time_point> due{};  // known once the gate has been looked at
  };

  void run();
  using GateStates = std::unordered_map<std::string, GateState>;
  GateStates look_at_pending();
  Result<bool> carry_to_gate(Pending& pending, const GateStates& seen);
  std::size_t carry_pending();
  Result<void> fetch_changes(CatalogSnapshot::Coupons& coupons, bool& changed);

  Store& store_;
  GateControl* const gate_;
  const CatalogOptions options_;

  std::mutex refresh_mutex_;   // serialises refresh(); held before mutex_
  std::int64_t revision_ = 0;  // guarded by refresh_mutex_
  std::unordered_map<std::string, Pending>
      pending_;  // not yet carried to the gate; guarded by refresh_mutex_

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const CatalogSnapshot> snapshot_;  // guarded by mutex_
  std::vector<AfterRefresh> after_refresh_;          // guarded by mutex_
  bool stopping_ = false;                            // guarded by mutex_

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

/// Whether somebody whom the gate refuses now might not be refused with `coupon`.
bool loosens(const GateState& gate, const Coupon& coupon);

/// Opens the gate of a coupon that was never opened. Each attempt draws an epoch of its own from the store,
/// creates the gate's state in it, and only then lets the store say that it may be trusted: a late attempt
/// that was overtaken can't pass for the trusted one. Does nothing when the coupon is open. Fails with
/// gate_epoch when another process drew later; then that one opens it. On success `coupon` is as the store
/// has it.
Result<void> open_coupon(Store& store, GateControl& gate, Coupon& coupon);

/// The second half of open_coupon: creates the gate's state in the epoch that `coupon`, as the store has it,
/// has drawn on the server that coupon.gate names, and settles it.
Result<void> open_drawn_coupon(Store& store, GateControl& gate, Coupon& coupon);

/// Whether the gate has this revision of `coupon`, as committed_for_gate, or a later one.
bool has_revision(const GateState& gate, const Coupon& coupon);

/// The revision a gate sees. A committed revision R is 2R; a change that lowers the stock is first put to the
/// gate as 2R+1, above what it had and below whatever the store commits next, so a late repeat of the old
/// revision in another process can't raise the stock again before the commit.
Coupon committed_for_gate(Coupon coupon);
Coupon proposed_for_gate(Coupon coupon);

}  // namespace seonchak
