#include "sim/environment.hpp"

#include <cstdio>

namespace seonchak::sim {

namespace {

// A refresh of the catalog and a step of the recovery, aside from their calls.
constexpr Micros recording_needs_least = times.catalog_refresh_period + times.recovery_period;

}  // namespace

Environment::Environment(std::uint64_t seed, Totals& counted, bool traced)
    : scheduler(seed),
      plan(scheduler.random()),
      totals(counted),
      trace(traced),
      log({.partitions = plan.partitions, .queue_events_max = 4, .durable = plan.log_is_durable}),
      ledger(store, log,
             {.durable_log = plan.log_is_durable,
              .recording_needs = recording_needs_least + 30 * plan.travel_max,
              .grace = plan.fails_over ? times.failover_grace : times.recording_grace,
              .silence = recorder_silence,
              .lease = plan.fails_over ? times.fence_lease : Micros(0)}) {
  gates.push_back(new_gate());
}

void Environment::stall_log_for(Micros duration) {
  fault(FaultKind::log_stalled, "");
  log_stalled_until = scheduler.now() + duration;
}

void Environment::wait_for_log() {
  while (!healed && scheduler.now() < log_stalled_until)
    scheduler.pause(std::chrono::ceil<Micros>(log_stalled_until - scheduler.now()));
}

std::shared_ptr<MemoryGate> Environment::new_gate() {
  return std::make_shared<MemoryGate>(MemoryGateOptions{.name = "gate" + std::to_string(gates.size() + 1)});
}

void Environment::note(const std::string& who, const std::string& what) {
  if (!trace) return;
  const double ms =
      std::chrono::duration<double, std::milli>(scheduler.now() - Ticker::TimePoint(std::chrono::hours(1)))
          .count();
  std::printf("%10.3f  %-12s %s\n", ms, who.c_str(), what.c_str());
}

void Environment::fault(FaultKind kind, const std::string& what) {
  totals.add(kind);
  if (trace) note("FAULT", std::string(to_string(kind)) + " " + what);
}

// Shared by all schedules: what is counted there nobody reads.
Metrics& Environment::metrics() {
  static Metrics metrics;
  return metrics;
}

}  // namespace seonchak::sim
