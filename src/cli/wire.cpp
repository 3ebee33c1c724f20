#include "cli/wire.hpp"

#include <future>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "events/kafka/kafka.hpp"
#include "events/memory/memory.hpp"
#include "gate/memory/memory.hpp"
#include "gate/redis/redis.hpp"
#include "http/server.hpp"
#include "store/postgres/postgres.hpp"
#include "store/sqlite/sqlite.hpp"

namespace seonchak {

namespace {

constexpr std::size_t restore_page = 10'000;
constexpr std::string_view sqlite_scheme = "sqlite:";

/// Lends the one memory gate to an event loop.
class SharedGate final : public Gate {
 public:
  explicit SharedGate(std::shared_ptr<MemoryGate> gate) : gate_(std::move(gate)) {}
  void claim(ClaimBatch batch, ClaimHandler handler) override {
    gate_->claim(std::move(batch), std::move(handler));
  }

 private:
  std::shared_ptr<MemoryGate> gate_;
};

template <class T>
T or_startup_error(Result<T>&& result, const std::string& doing) {
  if (!result) throw StartupError(doing + ": " + result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void restore_coupon(MemoryGate& gate, Store& store, const Coupon& coupon) {
  Sequence after = 0;
  while (true) {
    const auto holders =
        or_startup_error(store.holders(coupon.id, after, restore_page), "reading coupon " + coupon.id);
    or_startup_error(gate.restore(committed(coupon), holders), "restoring coupon " + coupon.id);
    if (holders.size() < restore_page) return;
    after = holders.back().sequence;
  }
}

Result<Coupon> trust(Store& store, const std::string& coupon_id, const std::string& gate) {
  return store.update_coupon(coupon_id, [&](Coupon& row) -> Result<void> {
    row.gate = gate;
    return {};
  });
}

void restore(MemoryGate& gate, Store& store) {
  std::string after;
  while (true) {
    const auto coupons = or_startup_error(store.list_coupons(after, coupons_page_max), "reading the coupons");
    for (const Coupon& coupon : coupons) {
      if (coupon.phase() == Phase::unopened) continue;
      restore_coupon(gate, store, coupon);
      const std::string name = or_startup_error(gate.identity(coupon.id), "restoring").name();
      // The file may have been used with another gate before.
      if (coupon.gate != name)
        or_startup_error(trust(store, coupon.id, name), "trusting coupon " + coupon.id);
    }
    if (coupons.size() < coupons_page_max) return;
    after = coupons.back().id;
  }
}

bool is_sqlite(const ServeConfig& config) {
  return config.store.starts_with(sqlite_scheme);
}

SqliteOptions sqlite_options(const ServeConfig& config) {
  SqliteOptions options;
  options.path = config.store.substr(sqlite_scheme.size());
  return options;
}

std::unique_ptr<Store> open_for_reading(const ServeConfig& config) {
  if (is_sqlite(config)) {
    SqliteOptions options = sqlite_options(config);
    options.read_only = true;
    return open_sqlite(options);
  }
  PostgresOptions options;
  options.url = config.store;
  options.read_only = true;
  return open_postgres(options);
}

/// A trigger of somebody else's that hangs over one coupon's rows keeps all others waiting for so long. What
/// is more than a slow database does in it is tried again in smaller pieces.
constexpr int statement_of_one_timeout_ms = 3'000;

/// Opened on demand. So many that nobody waits for others of the same lane.
PostgresOptions lane_options(const ServeConfig& config, StoreLane lane,
                             const std::shared_ptr<StopDeadline>& stop) {
  PostgresOptions options;
  options.url = config.store;
  options.stop = stop;
  switch (lane) {
    case StoreLane::fence:
      options.connections_max = 2;  // the catalog, and who asks it to look at once or whether it answers
      break;
    case StoreLane::recovery:
      // A recovery that settles asks within its transaction, while the recorder may wait for that one's row.
      options.connections_max = 3;
      // A coupon whose row somebody holds is tried again later: others' recoveries wait behind each try.
      options.lock_timeout_ms = 250;
      options.statement_timeout_ms = statement_of_one_timeout_ms;
      break;
    case StoreLane::consumer:
      options.connections_max = 1;
      options.lock_timeout_ms = 200;  // the rows of all other coupons wait meanwhile
      options.statement_timeout_ms = statement_of_one_timeout_ms;
      break;
    case StoreLane::propagator:
      options.connections_max = 1;
      options.lock_timeout_ms =
          250;  // a row that somebody holds waits for its turn, and not the others for it
      break;
    case StoreLane::operators:
      options.connections_max = ServerOptions{}.change_threads + 3;  // those who create and list come on top
      options.lock_timeout_ms = 1'000;
      break;
    case StoreLane::readers:
      options.connections_max = 2;
      options.connection_wait_timeout_ms = 1'000;
      options.lock_timeout_ms = 1'000;
      options.statement_timeout_ms = 3'000;
      options.commit_timeout_ms = 3'000;
      break;
  }
  return options;
}

Stores open_stores(const ServeConfig& config, const std::shared_ptr<StopDeadline>& stop) {
  std::array<std::shared_ptr<Store>, store_lanes> lanes;
  if (is_sqlite(config)) {
    // Its calls take turns on one file whoever makes them.
    SqliteOptions options = sqlite_options(config);
    options.stop = stop;
    lanes.fill(open_sqlite(options));
    return Stores(std::move(lanes));
  }
  for (const auto lane : {StoreLane::fence, StoreLane::recovery, StoreLane::consumer, StoreLane::propagator,
                          StoreLane::operators, StoreLane::readers}) {
    const PostgresOptions options = lane_options(config, lane, stop);
    lanes[static_cast<std::size_t>(lane)] =
        lane == StoreLane::fence ? open_postgres(options) : connect_postgres(options);
  }
  return Stores(std::move(lanes));
}

void wire_memory_gate(Adapters& adapters) {
  auto gate = std::make_shared<MemoryGate>();
  restore(*gate, adapters.stores[StoreLane::fence]);
  adapters.control = gate;
  adapters.gate_is_durable = false;
  adapters.make_gate = [gate](boost::asio::io_context&) { return std::make_unique<SharedGate>(gate); };
  adapters.make_control = [gate] { return gate; };
  adapters.make_outbox = [gate] { return gate; };
}

RedisOptions redis_options(const ServeConfig& config) {
  RedisOptions options;
  options.url = config.gate;
  options.allow_volatile = config.allow_volatile_gate;
  return options;
}

void wire_redis_gate(Adapters& adapters, const ServeConfig& config) {
  const RedisOptions options = redis_options(config);
  adapters.gate_fails_over = config.gate_fails_over || !parse_redis_url(options.url).sentinels.empty();
  adapters.control = make_redis_gate_control(options);
  adapters.make_gate = [options](boost::asio::io_context& loop) { return make_redis_gate(loop, options); };
  adapters.make_control = [options]() -> std::shared_ptr<GateControl> {
    return make_redis_gate_control(options);
  };
  adapters.make_outbox = [options]() -> std::shared_ptr<Outbox> { return make_redis_outbox(options); };
  adapters.make_recovery = [options] { return make_redis_gate_recovery(options); };
}

void wire_memory_log(Adapters& adapters, const ServeConfig& config) {
  MemoryLogOptions options;
  options.group = config.log_group;
  auto log = std::make_shared<MemoryLog>(options);
  adapters.make_tail = [log] { return log->tail(); };
  adapters.make_publisher = [log] { return log->publisher(); };
  adapters.make_consumer = [log] { return log->consumer(); };
}

void wire_kafka_log(Adapters& adapters, const ServeConfig& config) {
  const KafkaOptions options = kafka_options(config);
  adapters.make_tail = [options] { return make_kafka_tail(options); };
  adapters.make_publisher = [options] { return make_kafka_publisher(options); };
  adapters.make_consumer = [options] { return make_kafka_consumer(options); };
  adapters.make_log_probe = [options] { return make_kafka_probe(options); };
}

}  // namespace

KafkaOptions kafka_options(const ServeConfig& config) {
  KafkaOptions options;
  options.url = config.log;
  options.group = config.log_group;
  options.properties = config.log_options;
  options.partitions = config.log_partitions;
  options.close_wait_ms = 1'000;  // a stop has ten seconds for everything
  return options;
}

Readers wire_readers(const ServeConfig& config) {
  Readers readers;
  readers.store = open_for_reading(config);
  if (!config.gate_is_memory()) {
    RedisOptions options;
    options.url = config.gate;
    readers.gate = make_redis_gate_control(options);
    // Not check(): who only reads may read where nobody writes.
    or_startup_error(readers.gate->identity(""),
                     "the gate cannot be read; check --gate " + without_password(config.gate));
    readers.outbox = make_redis_outbox(options);
    readers.holders = make_redis_gate_recovery(options);
  }
  if (!config.log_is_memory()) readers.log = make_kafka_tail(kafka_options(config));
  return readers;
}

Adapters wire(const ServeConfig& config, const std::shared_ptr<StopDeadline>& stop) {
  // All three are asked at the same time: each takes its while to connect and to answer.
  std::future<void> log_checked;
  if (!config.log_is_memory() && (config.has(Role::relay) || config.has(Role::consumer))) {
    log_checked =
        std::async(std::launch::async, [options = kafka_options(config)] { require_kafka(options); });
  }
  std::future<void> gate_checked;
  if (!config.gate_is_memory()) {
    gate_checked =
        std::async(std::launch::async, [options = redis_options(config)] { require_safe_redis(options); });
  }
  Adapters adapters;
  adapters.log_checked = std::move(log_checked);
  adapters.stores = open_stores(config, stop);
  if (gate_checked.valid()) gate_checked.get();
  if (config.gate_is_memory()) {
    wire_memory_gate(adapters);
  } else {
    wire_redis_gate(adapters, config);
  }
  if (config.log_is_memory()) {
    wire_memory_log(adapters, config);
  } else {
    wire_kafka_log(adapters, config);
  }
  return adapters;
}

}  // namespace seonchak
