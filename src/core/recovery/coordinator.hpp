#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/health.hpp"
#include "base/metrics.hpp"
#include "core/catalog/catalog.hpp"
#include "core/claims/late_claims.hpp"
#include "core/model/times.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/store.hpp"
#include "core/recovery/guard.hpp"
#include "core/recovery/job.hpp"
#include "core/recovery/lease.hpp"
#include "core/recovery/tail.hpp"

namespace seonchak {

struct RecoveryCoordinatorOptions {
  std::chrono::milliseconds look_period = safety_times.recovery_period;  ///< of the guard
  std::chrono::milliseconds retry{250};  ///< of a coupon after a failure; doubled each time
  std::chrono::milliseconds retry_max{4'000};
  int failure_share = 4;  ///< what the store took long to refuse is let alone for so many times as long
  /// A saver holds a row for moments, again and again: within the patience it is looked at so often. Who
  /// still holds it then is in no hurry.
  std::chrono::milliseconds held_retry{20};
  std::chrono::milliseconds held_patience{1'000};
  std::chrono::milliseconds demand_share{75};  ///< of a step, at most, for coupons with demand here
  std::chrono::milliseconds others_share{25};  ///< at least, for the others
  std::chrono::milliseconds step_most{100};
  std::size_t pieces_max = 1'000;   ///< of work, of each of the two in a step
  std::size_t jobs_max = 256;       ///< under way at once; those with demand come on top, and those whose row
                                    ///< of the store somebody holds
  std::size_t shuts_per_step = 32;  ///< of coupons without demand
  std::size_t fences_max = 256;     ///< in one transaction
  RecoveryJobOptions job{};
  RecoveryTailOptions tail{};
  LateClaimsOptions late{};
  /// Its `holder` is to be set: the name of this life of this process.
  LeaseOptions lease{.name = "gate-recovery", .holder = {}, .silence = safety_times.lease_silence};
};

/// Makes good the gate of coupons of which the guard says that it is not the trusted one, and decides late
/// claims: docs/decisions/0007 and 0015. Every API process has one; a lease in the store leaves the work to
/// one of them, and the others record their unsaved claims (Recorder).
///
/// Each coupon has a job of its own: none waits for another, but for its turn. Those with demand come first.
/// Logic without I/O of its own: everything outside is a port. Used from one thread.
class RecoveryCoordinator {
 public:
  struct Ports {
    Store& store;
    GateControl& control;
    GateRecovery& gate;
    Outbox& outbox;
    EventLogTail& log;
  };

  RecoveryCoordinator(Ports ports, Guard& guard, Catalog& catalog, Health& health, Metrics& metrics,
                      RecoveryCoordinatorOptions options);

  /// Looks when it is time, and does a bounded part of what there is to do. Returns when to come again.
  std::chrono::milliseconds step();

  /// Leaves the work to others at once, instead of letting them find out. Nothing is undone.
  void stop();

  /// True while this process recovers coupons.
  bool recovering() const { return !jobs_.empty(); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Jobs = std::map<std::string, RecoveryJob>;
  using Stage = RecoveryJob::Stage;
  struct Backoff {
    std::chrono::milliseconds delay{0};
    TimePoint until{};
    Errc why{};
  };
  enum class Share { demand, others };

  void look(TimePoint now);
  void refresh();
  bool has_work() const;
  std::vector<std::string> next_suspects(Share share, std::size_t most) const;
  bool hold_lease();
  void work(TimePoint began);
  void give_up();
  void shut(Share share);
  void fence();
  void fence_later(RecoveryJob& job);
  std::size_t jobs_under_way() const;
  void read_tail();
  void tail_failed(const Error& error);
  void advance(Share share, TimePoint end);
  bool advance(RecoveryJob& job);
  void decide_late();
  void finish(const RecoveryJob& job);
  void done_with(const std::string& coupon_id);
  void forget_heard();
  void note_health();
  bool progressed();
  TimePoint failed(const std::string& coupon_id, const Error& error, TimePoint::duration took = {});
  bool postponed(const std::string& coupon_id) const;
  bool belongs(const std::string& coupon_id, Share share) const;
  bool can_advance(const RecoveryJob& job) const;
  TimePoint next_due() const;
  static std::chrono::milliseconds until(TimePoint time);

  const Ports ports_;
  Guard& guard_;
  CatalogReader catalog_;
  Health& health_;
  const RecoveryCoordinatorOptions options_;
  RecoveryTail tail_;
  LateClaims late_;
  Lease lease_;

  Jobs jobs_;
  std::map<std::string, Backoff> backoff_;
  std::map<std::string, Watermark>
      unheard_;       // recovered here; the recorded claims stay until this is persisted
  std::string turn_;  // the job that was advanced last
  std::size_t fences_at_once_ = options_.fences_max;
  bool gate_answers_ = false;
  bool leads_ = false;
  bool refresh_due_ = false;
  bool committed_ = false;
  TimePoint next_refresh_{};
  bool busy_ = false;  // there is more to do at once
  TimePoint next_look_{};

  Counter& recovered_;
  Counter& holders_added_;
  Counter& holders_lost_;
  Gauge& age_;
};

}  // namespace seonchak
