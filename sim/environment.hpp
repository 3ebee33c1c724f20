#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/health.hpp"
#include "base/metrics.hpp"
#include "core/model/times.hpp"
#include "gate/memory/memory.hpp"
#include "sim/ledger.hpp"
#include "sim/memory_log.hpp"
#include "sim/memory_store.hpp"
#include "sim/plan.hpp"
#include "sim/scheduler.hpp"

namespace seonchak::sim {

/// Smaller than in production, in the same proportions: a schedule has fewer steps of mere waiting.
inline constexpr SafetyTimes times = scaled(safety_times, 1, 4);
static_assert(hold_together(times));
inline constexpr std::chrono::milliseconds recorder_silence{1'500};

/// Counts over all schedules of a run.
struct Totals {
  std::array<std::uint64_t, fault_kinds> faults{};
  std::uint64_t events = 0;
  std::uint64_t promises = 0;
  std::uint64_t within_limit = 0;  ///< promises lost within the documented limit
  std::uint64_t recoveries = 0;
  void add(FaultKind kind) { ++faults[static_cast<std::size_t>(kind)]; }
};

/// Everything outside the processes: servers, and what happens to them.
struct Environment {
  Environment(std::uint64_t seed, Totals& totals, bool trace);

  /// One line with --trace.
  void note(const std::string& who, const std::string& what);
  bool tracing() const { return trace; }
  void fault(FaultKind kind, const std::string& what);

  /// The log takes nothing until then.
  void stall_log_for(Micros duration);
  void wait_for_log();

  /// A server with a name of its own.
  std::shared_ptr<MemoryGate> new_gate();

  Scheduler scheduler;
  Random& random = scheduler.random();
  const Plan plan;
  Totals& totals;
  const bool trace;
  MemoryStore store;
  MemoryLog log;
  Ledger ledger;
  std::vector<std::shared_ptr<MemoryGate>> gates;  // the last one is the master
  bool one_hangs_for_good = false;                 // a recoverer, until it is killed
  bool one_is_overtaken = false;                   // a recoverer, until it goes on
  bool healed = false;                             // no fault happens from here on
  bool store_down = false;
  Ticker::TimePoint log_stalled_until{};
  int tokens = 0;
  static Metrics& metrics();
};

}  // namespace seonchak::sim
