#include "cli/process.hpp"

#include <array>
#include <random>

#include <unistd.h>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/named_thread.hpp"
#include "base/ticker.hpp"
#include "cli/stop_signals.hpp"
#include "core/chain/consumer.hpp"
#include "core/chain/relay.hpp"
#include "core/claims/recorder.hpp"
#include "core/progress/progress_poller.hpp"
#include "core/recovery/coordinator.hpp"
#include "http/server.hpp"

namespace seonchak {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds step_wait{100};
constexpr milliseconds tell_of_wait_after{3'000};
constexpr milliseconds monitor_period{1'000};
constexpr milliseconds monitor_tick{50};
constexpr milliseconds drain_requests_max{3'500};
constexpr milliseconds drain_relay_max{1'500};
constexpr milliseconds drain_consumer_max{1'500};

/// For the calls to the store that are under way when nobody needs the store any more.
constexpr milliseconds last_store_calls_max{1'000};
constexpr milliseconds drain_pause_max{20};

// The consumer goes after the relay with a log that ends with this process, and beside it with Kafka.
static_assert(drain_requests_max + drain_relay_max + drain_consumer_max + last_store_calls_max <
              StopSignals::stop_limit);

/// A role whose step has not ended for so long hangs.
constexpr milliseconds role_hangs_after{10'000};

/// As long as a part that is asked may be silent (PartChecksOptions), and longer than claims go on where they
/// need a fresh catalog.
constexpr milliseconds catalog_stale_after{3'500};
static_assert(catalog_stale_after > safety_times.fence_lease);

std::string unique_owner() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + ':' + std::to_string(getpid()) + ':' +
         std::to_string(std::random_device{}());
}

CouponAdminOptions coupon_admin_options(const Adapters& adapters, const UnsavedClaims& unsaved_claims) {
  CouponAdminOptions options;
  options.gate_is_durable = adapters.gate_is_durable;
  options.default_ack = adapters.gate_is_durable ? Ack::gate : Ack::store;
  options.unsaved_here = [&unsaved_claims] { return unsaved_claims.coupons(); };
  return options;
}

/// Steps a role until the stop is asked for, sleeping in between for as long as a step says, or until `wake`
/// is notified. Notes when a step has ended last.
template <class Step>
void run_role(const std::atomic<bool>& stop, std::atomic<steady_clock::rep>& stepped_at, Wake& wake,
              Step step) {
  const auto note = [&] { stepped_at = steady_clock::now().time_since_epoch().count(); };
  note();
  while (!stop) {
    const milliseconds pause = step(step_wait);
    note();
    if (pause.count() > 0) wake.wait_for(std::min(pause, step_wait));
  }
}

/// Goes on until `done` or the limit: what is in the pipe goes out first.
template <class Step, class Done>
void drain_role(milliseconds drain_max, Step step, Done done) {
  const auto until = steady_clock::now() + drain_max;
  do {
    const milliseconds pause = step(milliseconds(0));
    std::this_thread::sleep_for(std::min(pause, drain_pause_max));
  } while (!done() && steady_clock::now() < until);
}

}  // namespace

Process::Process(const ServeConfig& config, std::shared_ptr<StopDeadline> stop)
    : config_(config),
      stop_(std::move(stop)),
      adapters_(wire(config_, stop_)),
      catalog_(adapters_.stores[StoreLane::fence]),
      propagator_gate_(adapters_.make_control()),
      propagator_(adapters_.stores[StoreLane::propagator], *propagator_gate_, catalog_, metrics_,
                  {.carries = config_.has(Role::api)}),
      refusals_(*adapters_.control, catalog_, metrics_),
      coupon_admin_(adapters_.stores[StoreLane::operators], adapters_.stores[StoreLane::readers],
                    *adapters_.control, catalog_, propagator_,
                    coupon_admin_options(adapters_, unsaved_claims_)) {}

Process::~Process() {
  shut_down();
}

std::vector<std::string> Process::required_dependencies() const {
  // Issuing goes on without the log and the database: only a process that does nothing else needs them to be
  // ready. Where another server may take the gate over, it needs to hear of that from the database.
  if (config_.has(Role::api) && adapters_.gate_fails_over) return {"gate", "catalog"};
  if (config_.has(Role::api)) return {"gate"};
  return {"gate", "log", "store"};
}

void Process::start() {
  if (auto loaded = catalog_.start(); !loaded)
    throw StartupError("loading the coupons: " + loaded.error().message);
  health_.note("store", {});  // it has just answered
  health_.note("catalog", {});
  health_.note("gate", adapters_.control->check());

  ServerOptions options;
  options.listen = config_.listen;
  options.threads = config_.threads;
  options.admin_key = config_.admin_key;
  options.connections_max = config_.connections_max;
  options.drain_timeout = drain_requests_max;
  options.serve_api = config_.has(Role::api);
  IssuerOptions issuer;
  issuer.gate_is_durable = adapters_.gate_is_durable;
  if (adapters_.gate_fails_over) issuer.fence_lease = safety_times.fence_lease;
  AckWaitersOptions ack;
  ack.timeout = milliseconds(config_.ack_timeout_ms);
  server_ = std::make_unique<Server>(
      options, ServerParts{&catalog_, &coupon_admin_, &watermarks_, &unsaved_claims_, &refusals_,
                           adapters_.make_gate, metrics_, health_, issuer, ack, required_dependencies()});
  if (adapters_.log_checked.valid()) {
    if (adapters_.log_checked.wait_for(tell_of_wait_after) == std::future_status::timeout)
      log::info("waiting for the log to answer");
    adapters_.log_checked.get();
    health_.note("log", {});
  }
  if (config_.log_is_memory()) health_.note("log", {});
  // Before the roles: joining a consumer group would compete with it for the processor.
  server_->start();

  if (config_.has(Role::relay)) relay_ = named_thread("relay", [this] { relay(); });
  if (config_.has(Role::consumer)) consumer_ = named_thread("consumer", [this] { consume(); });
  start_checks();
  helpers_.push_back(named_thread("monitor", [this] { monitor(); }));
  const bool others_may_relay = !config_.gate_is_memory();
  if (config_.has(Role::api) && others_may_relay)
    helpers_.push_back(named_thread("progress", [this] { poll_progress(); }));
  if (config_.has(Role::api) && adapters_.make_recovery) {
    recorder_ = named_thread("recorder", [this] { record(); });
    helpers_.push_back(named_thread("recovery", [this] { recover(); }));
  }
  if (config_.has(Role::api)) helpers_.push_back(named_thread("refusals", [this] { refuse(); }));
  if (config_.has(Role::api)) helpers_.push_back(named_thread("propagate", [this] { propagate(); }));
}

std::string Process::address() const {
  return server_->address();
}

void Process::shut_down() {
  if (server_) server_->drain();
  checks_.stop();
  // What hangs must take its time at the same time: only a log that ends with this process is still to be
  // read and saved once the relay has ended.
  const bool save_the_rest = config_.log_is_memory();
  stop_->set(steady_clock::now() +
             (save_the_rest ? drain_relay_max + drain_consumer_max : last_store_calls_max));
  stop_relay_ = true;
  if (!save_the_rest) stop_consumer_ = true;
  stop_helpers_ = true;
  refusals_.stop();
  propagator_.stop();
  if (relay_.joinable()) relay_.join();
  stop_consumer_ = true;
  if (consumer_.joinable()) consumer_.join();
  stop_recorder_ = true;
  if (recorder_.joinable()) recorder_.join();
  for (std::thread& helper : helpers_) helper.join();
  checks_.join();
  helpers_.clear();
  catalog_.stop();
  server_.reset();
}

void Process::relay() {
  const auto outbox = adapters_.make_outbox();
  const auto publisher = adapters_.make_publisher();
  CatalogReader catalog(catalog_);
  RelayOptions options;
  options.leases.owner = unique_owner();
  if (config_.gate_is_memory()) options.read_wait_max = milliseconds(0);
  Relay relay(*outbox, *publisher, catalog, watermarks_, metrics_, health_, options);
  const auto step = [&](milliseconds wait) { return relay.step(wait); };
  run_role(stop_relay_, relay_stepped_at_, watermarks_.somebody_waits(), step);
  drain_role(drain_relay_max, step, [&] { return relay.drained(); });
  relay.release();
}

void Process::consume() {
  const auto outbox = adapters_.make_outbox();
  const auto log = adapters_.make_consumer();
  CatalogReader catalog(catalog_);
  Consumer consumer(*log, adapters_.stores[StoreLane::consumer], *outbox, *adapters_.control, catalog,
                    watermarks_, metrics_, health_);
  Wake never;
  run_role(stop_consumer_, consumer_stepped_at_, never,
           [&](milliseconds wait) { return consumer.step(wait); });
  // Only this role's own records are worth waiting for: Kafka keeps the rest for the next member.
  if (!config_.log_is_memory()) return;
  drain_role(
      drain_consumer_max, [&](milliseconds wait) { return consumer.step(wait); },
      [&] { return consumer.idle(); });
}

void Process::poll_progress() {
  const auto outbox = adapters_.make_outbox();
  ProgressPoller poller(*outbox, watermarks_);
  while (!stop_helpers_) poller.step();
}

void Process::record() {
  Recorder recorder(adapters_.stores[StoreLane::recovery], catalog_, unsaved_claims_, unique_owner());
  while (!stop_recorder_) {
    if (!recorder.step()) std::this_thread::sleep_for(safety_times.recorder_period);
  }
}

void Process::recover() {
  const auto control = adapters_.make_control();
  const auto gate = adapters_.make_recovery();
  const auto outbox = adapters_.make_outbox();
  const auto log = adapters_.make_tail();
  Store& store = adapters_.stores[StoreLane::recovery];
  RecoveryCoordinatorOptions options;
  if (adapters_.gate_fails_over) options.job.recording_grace = safety_times.failover_grace;
  options.job.make_token = unique_owner;
  options.job.epoch_min = [] { return Epoch(to_millis(now())); };
  options.lease.holder = unique_owner();
  Guard guard(store, *control, *outbox, catalog_, unsaved_claims_);
  RecoveryCoordinator recovery({store, *control, *gate, *outbox, *log}, guard, catalog_, health_, metrics_,
                               options);
  while (!stop_helpers_) {
    // So short that it stops soon when it is told to.
    std::this_thread::sleep_for(std::min(recovery.step(), step_wait));
  }
  recovery.stop();
}

void Process::propagate() {
  while (!stop_helpers_) propagator_.step(step_wait);
}

void Process::refuse() {
  while (!stop_helpers_) refusals_.step(step_wait);
}

// What is well a role tells by itself.
void Process::note_if_hung(const std::string& role, const std::atomic<steady_clock::rep>& stepped_at) {
  const auto last = steady_clock::time_point(steady_clock::duration(stepped_at));
  if (last == steady_clock::time_point{} || steady_clock::now() - last < role_hangs_after)
    return;  // not begun
  health_.note(role, Error{Errc::unavailable, "its thread has been in one step for over 10 s"});
}

Result<void> Process::coupons_propagated() const {
  const std::size_t stuck = propagator_.stuck();
  if (stuck == 0) return {};
  return Error{Errc::unavailable,
               std::to_string(stuck) + " coupons cannot be propagated to the gate: see the log"};
}

Result<void> Process::catalog_is_fresh() const {
  const auto age = ticker().now() - catalog_.current_as_of();
  if (age < catalog_stale_after) return {};
  return Error{Errc::unavailable, "the coupons in the store could not be read for " +
                                      std::to_string(std::chrono::floor<std::chrono::seconds>(age).count()) +
                                      " s"};
}

void Process::start_checks() {
  checks_.add("gate", "check-gate", [this]() -> PartChecks::Check {
    return [this, gate = adapters_.make_control()] {
      auto answers = gate->check();
      if (answers && !config_.gate_is_memory()) health_.note("gate_memory", gate->room());
      return answers;
    };
  });
  checks_.add("store", "check-store", [this]() -> PartChecks::Check {
    return [this] { return adapters_.stores[StoreLane::fence].check(); };
  });
  const bool needs_log = config_.has(Role::relay) || config_.has(Role::consumer);
  if (!needs_log || !adapters_.make_log_probe) return;
  checks_.add("log", "check-log", [this]() -> PartChecks::Check {
    return [log = std::shared_ptr(adapters_.make_log_probe())] { return log->check(); };
  });
}

void Process::monitor() {
  Counter& lines_dropped =
      metrics_.counter("seonchak_log_lines_dropped_total",
                       "Log lines that whoever reads standard error was too slow for, or gone.");
  auto next = steady_clock::now();
  while (!stop_helpers_) {
    if (steady_clock::now() >= next) {
      if (config_.has(Role::relay)) note_if_hung("relay", relay_stepped_at_);
      if (config_.has(Role::consumer)) note_if_hung("consumer", consumer_stepped_at_);
      if (config_.has(Role::api)) health_.note("coupons", coupons_propagated());
      health_.note("catalog", catalog_is_fresh());
      next = steady_clock::now() + monitor_period;
    }
    lines_dropped.add(log::dropped() - lines_dropped.value());
    checks_.note_silent();
    std::this_thread::sleep_for(monitor_tick);
  }
}

}  // namespace seonchak
