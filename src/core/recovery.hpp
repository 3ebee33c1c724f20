#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog.hpp"
#include "core/health.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/store.hpp"
#include "core/rebuild.hpp"
#include "core/witness.hpp"

namespace seonchak {

struct RecoveryOptions {
  /// Between shutting a coupon and taking the union: every process must have seen the new epoch and written
  /// down what it knows by then, answers to calls that were out included. Longer than a gate's call limit,
  /// and with a gate that can fail over longer than IssuerOptions::fence_lease.
  std::chrono::milliseconds witness_grace{1'500};
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
    Coupon coupon;  // as committed with the new epoch; `settled` is the one that was trusted
    std::string token;
    Remains remains;
    bool prefix = false;  // what remains is an earlier moment of the state that was trusted
  };
  struct Round {
    std::unique_ptr<StoreLock> lock;
    std::vector<Job> jobs;
    TimePoint due;
  };
  using Progress = std::unordered_map<std::string, Outbox::Progress>;

  Result<Progress> look_at(const CatalogSnapshot& catalog);
  bool renamed(const GateIdentity& identity, const CatalogSnapshot& catalog);
  void testify(const CatalogSnapshot& catalog);
  void catch_up(const CatalogSnapshot& catalog, const Progress& progress);
  void write_down(const Coupon& coupon, const std::vector<KnownClaim>& claims);
  void claim_late(const Coupon& coupon, const std::vector<KnownClaim>& claims);
  std::vector<std::string> suspects(const GateIdentity& identity, const CatalogSnapshot& catalog,
                                    const Progress& progress);
  void begin(const GateIdentity& identity, const std::vector<std::string>& suspects);
  Result<std::optional<Job>> shut(const GateIdentity& identity, const std::string& coupon_id);
  Result<bool> is_sound(const GateIdentity& identity, const Coupon& coupon);
  void go_on();
  Result<void> finish();
  Result<bool> recover(const Job& job, std::vector<KnownClaim> claims);
  Result<bool> note_pending(const Job& job, const std::vector<Holder>& pending,
                            const std::vector<KnownClaim>& testimony);
  Result<std::vector<Holder>> rows_of(const std::string& coupon_id, const std::vector<KnownClaim>& claims);
  void forget_heard(const Progress& progress);
  Result<std::vector<std::int64_t>> sequences_of_rows(const std::string& coupon_id, std::int64_t after);
  Result<std::vector<KnownClaim>> outbox_of(const Job& job);
  Result<std::vector<KnownClaim>> without_rows(const std::string& coupon_id, std::vector<KnownClaim> claims);
  Result<void> save(const Job& job, const std::vector<Holder>& pending);
  Result<bool> settle(const Job& job, std::size_t heard);
  Result<void> write(const Job& job, const Rebuilt& rebuilt, std::int64_t intact);
  void lost(const std::string& coupon_id, const Holder& holder);

  Ports ports_;
  CatalogReader catalog_;
  Witness& witness_;
  Health& health_;
  const RecoveryOptions options_;

  std::optional<GateIdentity> last_identity_;
  std::map<std::string, Witness::Doubt> doubts_;
  std::map<std::string, std::pair<std::int64_t, std::size_t>> testified_;  // epoch, and how many claims
  std::map<std::string, Mark> unheard_;  // recovered here; the testimony stays until this is persisted
  std::size_t turn_ = 0;
  std::optional<Round> round_;
  TimePoint next_try_{};

  Counter& recovered_;
  Counter& holders_added_;
  Counter& holders_lost_;
};

}  // namespace seonchak
