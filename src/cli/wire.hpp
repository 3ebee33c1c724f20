#pragma once
#include <functional>
#include <future>
#include <memory>

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

/// The adapters of one process, chosen by the config: the only place that names them.
struct Adapters {
  std::unique_ptr<Store> store;
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
/// comes back rebuilt from the store. Throws StartupError that says what to change.
Adapters wire(const ServeConfig& config);

}  // namespace seonchak
