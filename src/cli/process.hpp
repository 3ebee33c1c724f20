#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/health.hpp"
#include "base/metrics.hpp"
#include "base/stop_deadline.hpp"
#include "cli/config.hpp"
#include "cli/part_checks.hpp"
#include "cli/wire.hpp"
#include "core/admin/coupon_admin.hpp"
#include "core/admission/refusal_cache.hpp"
#include "core/catalog/catalog.hpp"
#include "core/catalog/propagator.hpp"
#include "core/claims/unsaved_claims.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

class Server;

/// One running server: its adapters, its roles' threads and its HTTP listener.
class Process {
 public:
  /// Connects to the store and the gate, and gives that up at the deadline of `stop`. Throws StartupError.
  Process(const ServeConfig& config, std::shared_ptr<StopDeadline> stop);
  ~Process();

  /// Serves until shut_down, once the log has answered as well. Throws StartupError, also when it cannot
  /// listen.
  void start();

  /// "127.0.0.1:8080", with the real port when 0 was asked for.
  std::string address() const;

  /// Stops accepting, answers what is in flight, moves what is issued on to the log and, when the log ends
  /// with this process, to the store. Bounded, whatever hangs: under 10 s altogether, usually at once. Sets
  /// the deadline of calls to the store.
  void shut_down();

 private:
  void start_checks();
  void monitor();
  void relay();
  void consume();
  void poll_progress();
  void record();
  void recover();
  void refuse();
  void note_if_hung(const std::string& role, const std::atomic<std::chrono::steady_clock::rep>& stepped_at);
  void propagate();
  Result<void> coupons_propagated() const;
  Result<void> catalog_is_fresh() const;
  std::vector<std::string> required_dependencies() const;

  const ServeConfig config_;
  const std::shared_ptr<StopDeadline> stop_;
  Adapters adapters_;
  Metrics metrics_;
  Health health_;
  PartChecks checks_{health_};
  Watermarks watermarks_;
  UnsavedClaims unsaved_claims_;
  Catalog catalog_;
  const std::shared_ptr<GateControl> propagator_gate_;  // a connection that nobody else waits for
  Propagator propagator_;
  RefusalCache refusals_;
  CouponAdmin coupon_admin_;
  std::unique_ptr<Server> server_;

  // Roles stop in the order of the flow, so that each can pass on what it holds.
  std::atomic<bool> stop_helpers_{false};
  std::atomic<bool> stop_recorder_{false};
  std::atomic<bool> stop_relay_{false};
  std::atomic<bool> stop_consumer_{false};
  std::atomic<std::chrono::steady_clock::rep> relay_stepped_at_{0};
  std::atomic<std::chrono::steady_clock::rep> consumer_stepped_at_{0};
  std::thread relay_;
  std::thread consumer_;
  std::thread recorder_;
  std::vector<std::thread> helpers_;
};

}  // namespace seonchak
