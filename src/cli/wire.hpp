#pragma once
#include <array>
#include <functional>
#include <future>
#include <memory>

#include "base/stop_deadline.hpp"
#include "cli/config.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/store.hpp"

namespace boost::asio {
class io_context;
}

namespace seonchak {

struct KafkaOptions;

/// Who must not wait for one another in the store: each has connections of its own.
enum class StoreLane {
  fence,      ///< the catalog, whose age decides whether a process may answer
  recovery,   ///< of the gate
  consumer,   ///< rows and positions
  operators,  ///< changes of coupons, and their listing
  readers,    ///< what anybody may ask for
};
inline constexpr std::size_t store_lanes = 5;

/// One store by all its lanes.
class Stores {
 public:
  Stores() = default;
  explicit Stores(std::array<std::shared_ptr<Store>, store_lanes> lanes) : lanes_(std::move(lanes)) {}
  Store& operator[](StoreLane lane) const { return *lanes_[static_cast<std::size_t>(lane)]; }

 private:
  std::array<std::shared_ptr<Store>, store_lanes> lanes_;
};

/// The adapters of one process, chosen by the config: the only place that names them.
struct Adapters {
  Stores stores;
  std::shared_ptr<GateControl> control;

  bool gate_is_durable = true;
  bool gate_fails_over = false;  ///< another server may take its place while it is up
  std::function<std::unique_ptr<Gate>(boost::asio::io_context&)> make_gate;  ///< one per event loop
  std::function<std::shared_ptr<GateControl>()> make_control;                ///< beside `control`
  std::function<std::shared_ptr<Outbox>()> make_outbox;                      ///< one per thread
  std::function<std::unique_ptr<GateRecovery>()> make_recovery;  ///< none: the gate ends with the process
  std::function<std::unique_ptr<EventLogTail>()> make_tail;
  std::function<std::unique_ptr<EventPublisher>()> make_publisher;
  std::function<std::unique_ptr<EventConsumer>()> make_consumer;
  std::function<std::unique_ptr<EventLogProbe>()> make_log_probe;  ///< none: the log is this process

  /// The log is still being asked: get() waits for its answer and throws StartupError. Not valid when this
  /// process needs none. Its end waits, too.
  std::future<void> log_checked;
};

/// What `seonchak audit` reads, and writes nothing to.
struct Readers {
  std::unique_ptr<Store> store;
  std::shared_ptr<GateControl> gate;  ///< none, like the two below: it lives in a server's process
  std::shared_ptr<Outbox> outbox;
  std::unique_ptr<GateRecovery> holders;
  std::unique_ptr<EventLogTail> log;  ///< none: it lives in a server's process
};

/// Opens them for reading. Nothing is created or brought up to date, and an unsafe Redis is as good as any.
/// Throws StartupError that says what to change, also when the gate or the store does not answer.
Readers wire_readers(const ServeConfig& config);

/// The Kafka of the config.
KafkaOptions kafka_options(const ServeConfig& config);

/// Opens the store, the gate and the log; blocks until the store and the gate have answered. The memory gate
/// comes back rebuilt from the store. Calls to the store are given up at the deadline of `stop`. Throws
/// StartupError that says what to change.
Adapters wire(const ServeConfig& config, const std::shared_ptr<StopDeadline>& stop);

}  // namespace seonchak
