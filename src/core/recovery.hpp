#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog.hpp"
#include "core/health.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/store.hpp"
#include "core/witness.hpp"

namespace seonchak {

struct RecoveryOptions {
  /// Between shutting a coupon and taking the union: every process must have seen the new epoch and said what
  /// it knows by then. With a gate that can fail over, longer than IssuerOptions::fence_lease.
  std::chrono::milliseconds witness_grace{1'000};
  std::chrono::milliseconds retry{500};     ///< after a failure of the store, the log or the gate
  std::size_t coupons_checked_max = 512;    ///< per step, taking turns
  std::size_t log_events_max = 5'000'000;   ///< more than this unsaved: wait for the consumers
  std::function<std::string()> make_token;  ///< never the same twice, anywhere
};

/// Watches whether the gate still is the one the store trusts and has what it had, and makes it good when it
/// has not: docs/decisions/0007. Every API process runs one; a lock in the store leaves the work to one of
/// them, and the others bear witness.
///
/// Logic without I/O of its own: everything outside is a port. Used from one thread.
class Recovery {
 public:
  struct Ports {
    Store& store;
    GateControl& control;
    GateRecovery& gate;
    Outbox& outbox;
    EventLogTail& log;
  };

  Recovery(Ports ports, Catalog& catalog, Witness& witness, Health& health, Metrics& metrics,
           RecoveryOptions options);

  /// Looks, bears witness, and does the next part of a recovery if one is under way. To be called several
  /// times a second.
  void step();

  /// True while this process recovers coupons.
  bool recovering() const { return round_.has_value(); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Job {
    Coupon coupon;  // as committed with the new epoch
    std::string token;
    Remains remains;
    bool prefix = false;  // what remains is an earlier moment of the state that was trusted
    bool done = false;
  };
  struct Round {
    std::unique_ptr<StoreLock> lock;
    std::vector<Job> jobs;
    TimePoint due;
  };
  using Progress = std::unordered_map<std::string, Outbox::Progress>;

  Result<Progress> look_at(const CatalogSnapshot& catalog);
  bool renamed(const GateIdentity& identity, const CatalogSnapshot& catalog);
  void testify(const CatalogSnapshot& catalog, const Progress& progress);
  void claim_late(const Coupon& coupon);
  std::vector<std::string> suspects(const GateIdentity& identity, const CatalogSnapshot& catalog,
                                    const Progress& progress);
  void begin(const GateIdentity& identity, const std::vector<std::string>& suspects);
  Result<std::optional<Job>> shut(const GateIdentity& identity, const std::string& coupon_id);
  Result<bool> is_sound(const GateIdentity& identity, const Coupon& coupon, Outbox::Progress& progress);
  void go_on();
  Result<void> finish();
  Result<bool> recover(Job& job, const std::vector<Holder>& logged);
  Result<std::vector<Holder>> outbox_of(const Job& job);
  Result<std::int64_t> put_rows(const Job& job, std::int64_t after, std::vector<std::int64_t>& sequences);
  Result<std::vector<Holder>> without_rows(const std::string& coupon_id, std::vector<Holder> holders);
  Result<void> write(const Job& job, const std::vector<Holder>& pending);

  Ports ports_;
  CatalogReader catalog_;
  Witness& witness_;
  Health& health_;
  const RecoveryOptions options_;

  std::optional<GateIdentity> last_identity_;
  std::map<std::string, Witness::Doubt> doubts_;
  std::size_t turn_ = 0;
  std::optional<Round> round_;
  TimePoint next_try_{};

  Counter& recovered_;
  Counter& holders_added_;
  Counter& holders_lost_;
};

}  // namespace seonchak
