#pragma once
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.hpp"
#include "base/ticker.hpp"
#include "core/admin/coupon_admin.hpp"
#include "core/catalog/open_coupon.hpp"
#include "core/catalog/propagator.hpp"
#include "core/chain/consumer.hpp"
#include "core/chain/relay.hpp"
#include "core/testing/log.hpp"
#include "core/testing/ports.hpp"
#include "events/memory/memory.hpp"
#include "gate/memory/memory.hpp"
#include "store/sqlite/sqlite.hpp"

namespace seonchak {

inline constexpr std::chrono::milliseconds no_wait{0};
inline constexpr std::size_t step_limit = 10'000;  // a pipeline that needs more steps than this is stuck

/// In memory where the machine offers that: whether SQLite survives a power cut is not asked here.
class TempDir {
 public:
  TempDir() {
    const std::filesystem::path memory = "/dev/shm";
    const auto parent = std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
    std::string name = (parent / "seonchak-core-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Nothing is waited for.
inline const PropagatorOptions at_once{.loosening_delay = no_wait,
                                       .backoff_min = no_wait,
                                       .backoff_max = no_wait,
                                       .link_backoff_max = no_wait,
                                       .redraw_pause = no_wait};
inline constexpr int steps_to_propagate = 4;  // it opens, hears of its own commits, and applies the last one

/// The catalog and the propagator of another process.
struct Elsewhere {
  Elsewhere(Store& store, GateControl& gate, PropagatorOptions options = at_once)
      : catalog(store), propagator(store, gate, catalog, metrics, options) {}

  Result<void> refresh() {
    auto refreshed = catalog.refresh();
    for (int i = 0; i < steps_to_propagate; ++i) propagator.step(no_wait);
    return refreshed;
  }

  Metrics metrics;
  Catalog catalog;
  Propagator propagator;
};

/// The embedded composition, every port behind a decorator that can fail. The catalog has no thread until
/// started.
struct World {
  explicit World(MemoryGateOptions gate_options = {}) : memory_gate(std::move(gate_options)) {}

  const bool quiet = log::set_level("off");
  const TempDir dir;
  FaultPlan faults;
  const std::unique_ptr<Store> sqlite = open_sqlite({dir.file("store.db")});
  FaultyStore store{*sqlite, faults};
  MemoryGate memory_gate;
  FaultyGate gate{memory_gate, faults};
  Metrics metrics;
  Catalog catalog{store, {std::chrono::hours(1), no_wait}};
  Propagator propagator{store, gate, catalog, metrics, at_once};
  CouponAdmin coupon_admin{store, store, gate, catalog, propagator, {.loosening_delay = no_wait}};
  Watermarks watermarks;
  Health health;

  /// The catalog hears of everything, and then the gate does.
  Result<void> refresh() {
    auto refreshed = catalog.refresh();
    propagate();
    return refreshed;
  }

  /// Every coupon is tried, and what that changes is propagated, too.
  void propagate() {
    for (int i = 0; i < steps_to_propagate; ++i) propagator.step(no_wait);
  }

  Coupon create(const std::string& id, std::int64_t stock, Ack ack = Ack::gate) {
    return coupon_admin.create({id, "name of " + id, stock, {}, {}, ack}).value();
  }

  Claim claim(const std::string& coupon_id, const std::string& user_id) {
    return memory_gate.claim_now({coupon_id, open_epoch(coupon_id), 0, {user_id}}).value().claims.front();
  }

  /// What a process claims in; 0, in which nothing can be claimed, while the coupon is not open.
  Epoch open_epoch(const std::string& coupon_id) const {
    const auto row = sqlite->coupon(coupon_id);
    return row && row->is_open() ? row->epoch : 0;
  }

  /// Issues to `count` new users, each in an outbox entry of its own.
  void issue(const std::string& coupon_id, int count) {
    for (int i = 0; i < count; ++i) claim(coupon_id, "user" + std::to_string(++users_));
  }

  std::vector<Sequence> saved_sequences(const std::string& coupon_id) const {
    std::vector<Sequence> sequences;
    const auto holders = sqlite->holders(coupon_id, 0, 100'000).value();
    for (const Holder& holder : holders) sequences.push_back(holder.sequence);
    return sequences;
  }

  std::vector<OutboxEntry> outbox(const std::string& coupon_id) {
    const Watermark from_start{coupon_id, 0};
    return memory_gate.read({&from_start, 1}, 100'000, no_wait).value().entries;
  }

  Result<Coupon> change_stock(const std::string& id, std::int64_t stock) {
    CouponChange change;
    change.stock = stock;
    return coupon_admin.change(id, change);
  }

  Outbox::Progress progress(const std::string& coupon_id) {
    return memory_gate.progress({&coupon_id, 1}).front().value();
  }

 private:
  int users_ = 0;
};

inline std::vector<Sequence> one_to(Sequence last) {
  std::vector<Sequence> numbers;
  for (Sequence i = 1; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

/// What a reader finds in the log from its beginning, as sequences of one coupon; nobody else may be reading.
inline std::vector<Sequence> logged_sequences(MemoryLog& log, const std::string& coupon_id) {
  const auto consumer = log.consumer();
  (void)consumer->start_at({});
  std::vector<Sequence> sequences;
  const auto polled = consumer->poll(100'000, no_wait).value();
  for (const LogRecord& record : polled.records) {
    const auto& event = std::get<IssuedEvent>(record.message);
    if (event.coupon_id == coupon_id) sequences.push_back(event.sequence);
  }
  return sequences;
}

/// The sequences without repeats, in the order in which each came first.
inline std::vector<Sequence> first_seen(const std::vector<Sequence>& sequences) {
  std::vector<Sequence> seen;
  for (const Sequence sequence : sequences) {
    if (std::ranges::find(seen, sequence) == seen.end()) seen.push_back(sequence);
  }
  return seen;
}

struct RelaySetup {
  std::string owner = "relay";
  bool durable = false;
  std::size_t queue_max = 1'000;
  std::chrono::milliseconds lease_ttl{0};
  std::chrono::milliseconds lease_period{0};
  std::size_t entries_max = 64;
  std::size_t in_flight_max = 1'000;
};

/// One life of a relay; destroying it is a crash, since its leases stay.
struct RelayLife {
  RelayLife(World& world, MemoryLog& log, const RelaySetup& setup = {})
      : reader(world.catalog),
        publisher(log.publisher(), world.faults, setup.durable, setup.queue_max),
        relay(world.gate, publisher, reader, world.watermarks, world.metrics, world.health, options(setup)) {}

  static RelayOptions options(const RelaySetup& setup) {
    return {.leases = {.owner = setup.owner,
                       .ttl = setup.lease_ttl,
                       .period = setup.lease_period,
                       .unusable_retry = setup.lease_period},
            .entries_max = setup.entries_max,
            .in_flight_events_max = setup.in_flight_max,
            .backoff = no_wait};
  }

  void drain() {
    std::size_t steps = 0;
    do {
      relay.step(no_wait);
    } while (!relay.drained() && ++steps < step_limit);
    EXPECT_TRUE(relay.drained());
  }

  CatalogReader reader;
  FaultyPublisher publisher;
  Relay relay;
};

/// One life of a consumer; destroying it is a crash.
struct ConsumerLife {
  ConsumerLife(World& world, MemoryLog& memory, std::size_t batch_max = 1'000)
      : ConsumerLife(world, memory, impatient(batch_max)) {}
  ConsumerLife(World& world, MemoryLog& memory, const ConsumerOptions& options)
      : reader(world.catalog),
        log(memory.consumer(), world.faults),
        consumer(log, world.store, world.gate, world.gate, reader, world.watermarks, world.metrics,
                 world.health, options) {}

  void steps(int count) {
    for (int i = 0; i < count; ++i) consumer.step(no_wait);
  }

  static ConsumerOptions impatient(std::size_t batch_max) {
    return {.batch_records_max = batch_max, .backoff = {no_wait, no_wait}, .repair = {.period = no_wait}};
  }

  void drain() {
    std::size_t count = 0;
    do {
      consumer.step(no_wait);
    } while (!consumer.idle() && ++count < step_limit);
    EXPECT_TRUE(consumer.idle());
  }

  /// For `duration` of the ticker's time, each step when the one before has asked for it.
  void steps_for(std::chrono::milliseconds duration) {
    const auto until = ticker().now() + duration;
    while (ticker().now() < until) {
      const auto pause = consumer.step(std::chrono::milliseconds(1));
      ticker().sleep_for(std::max(pause, std::chrono::milliseconds(20)));
    }
  }

  CatalogReader reader;
  FaultyConsumer log;
  Consumer consumer;
};

}  // namespace seonchak
