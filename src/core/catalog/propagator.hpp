#pragma once
#include <chrono>
#include <condition_variable>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/metrics.hpp"
#include "base/mutex.hpp"
#include "core/catalog/catalog.hpp"
#include "core/model/times.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct PropagatorOptions {
  /// Whether step() is called here. Where another process carries the changes, nothing is kept for it.
  bool carries = true;

  /// A change that may let somebody in who was refused before reaches the gate this long after it is known to
  /// be committed.
  std::chrono::milliseconds loosening_delay = safety_times.loosening_delay;

  /// Between two attempts with one coupon: doubled after each that failed, from the start with each change.
  std::chrono::milliseconds backoff_min{50};
  std::chrono::milliseconds backoff_max{5'000};

  /// Between two attempts with anything while the gate or the store does not answer.
  std::chrono::milliseconds link_backoff_max{500};

  /// The gate has refused to open a coupon, and since then another process has drawn an epoch for it: that
  /// one is left alone for so long, or they would outbid each other for ever, with a commit each time.
  std::chrono::milliseconds redraw_pause{300'000};

  std::size_t coupons_per_step_max = 256;
  std::size_t names_logged_per_step_max = 3;  ///< of coupons that are stuck; the others are counted
};

/// Carries what the store has committed of coupons to the gate: opens those that were never opened, and
/// applies each new revision. That heals a crash between the store's commit and the gate's, and a store that
/// has fallen back behind its gate; every API process does it, and repeating it is harmless.
///
/// It is driven by the catalog's changes, after they are published: until the gate has heard of one, this
/// process is as any other that has not told it. A coupon that fails is tried less and less often and holds
/// up no other; being stuck is logged once, and so is its end.
///
/// step() is for one thread; everything else is safe from any.
class Propagator {
 public:
  /// Listens to the catalog, which must outlive it, and whose coupons so far it does not know: make it before
  /// the first refresh.
  Propagator(Store& store, GateControl& gate, Catalog& catalog, Metrics& metrics,
             PropagatorOptions options = {});
  ~Propagator();
  Propagator(const Propagator&) = delete;
  Propagator& operator=(const Propagator&) = delete;

  /// Waits up to `wait` for something that is due and makes one attempt with each of those coupons, at most
  /// coupons_per_step_max. Refreshes the catalog when it has opened any.
  void step(std::chrono::milliseconds wait);

  /// Makes step() return soon.
  void stop();

  /// Somebody else has told the gate of this revision of a coupon.
  void propagated(const Coupon& coupon);

  /// Coupons that the gate has not been told of.
  std::size_t pending() const;

  /// Those among them with which several attempts in a row have failed.
  std::size_t stuck() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Pending {
    std::shared_ptr<const Coupon> coupon{};  // as the store has it
    TimePoint seen_at{};                     // committed before this
    TimePoint epoch_seen_at{};
    std::optional<TimePoint> due{};  // in queue_ at this time; nothing during an attempt
    unsigned failures = 0;           // in a row
    bool stuck = false;

    // With an epoch that this process has drawn, and in which the gate, for certain, has not opened it.
    std::shared_ptr<const Coupon> refused{};
  };
  struct Attempt {
    std::string id;
    Pending work{};
    bool done = false;
    bool committed = false;            // something new, of which the catalog has to hear
    std::optional<TimePoint> again{};  // too early
    std::optional<Error> error{};      // neither: it was left alone
  };
  using Attempts = std::vector<Attempt>;
  using States = std::vector<Result<GateState>>;
  struct Stuck {
    std::vector<const Attempt*> now{};
    std::vector<const Attempt*> no_more{};
  };

  void changed(std::span<const std::shared_ptr<const Coupon>> coupons, std::span<const std::string> gone);
  void enqueue(const std::string& id, Pending& pending, TimePoint due) REQUIRES(mutex_);
  void reset(const std::string& id, Pending& pending) REQUIRES(mutex_);
  void count() REQUIRES(mutex_);
  Attempts take_due(std::chrono::milliseconds wait);
  std::optional<States> look_at(const Attempts& attempts);
  bool propagate_all(Attempts& attempts, const States& states);
  Result<void> propagate(Attempt& attempt, const Result<GateState>& state);
  Result<void> configure(Attempt& attempt, const GateState& state);
  Result<void> renew(Attempt& attempt);
  Result<void> open(Attempt& attempt, const Result<GateState>& state);
  Result<Coupon> drawn_for(const Pending& work);
  void put_back(const Attempts& attempts);
  void note(const Attempt& attempt, Pending& pending, Stuck& stuck) REQUIRES(mutex_);
  void say(const Stuck& stuck) const;
  void pause_all();
  std::chrono::milliseconds backoff(unsigned failures, std::chrono::milliseconds max) const;

  Store& store_;
  GateControl& gate_;
  Catalog& catalog_;
  const PropagatorOptions options_;
  Gauge& pending_gauge_;
  Gauge& stuck_gauge_;

  mutable Mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<std::string, Pending> pending_ GUARDED_BY(mutex_);
  std::set<std::pair<TimePoint, std::string>> queue_ GUARDED_BY(mutex_);
  std::size_t stuck_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;

  // Of the thread that steps:
  unsigned link_failures_ = 0;  // in a row
  TimePoint paused_until_{};
};

}  // namespace seonchak
