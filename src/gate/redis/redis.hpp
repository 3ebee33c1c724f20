#pragma once
#include <memory>

#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "gate/redis/options.hpp"

namespace boost::asio {
class io_context;
}

namespace seonchak {

// The gate in Redis 7+ or Valkey: claim.lua decides, and the outbox is a stream beside the holders.
// Each maker throws StartupError when options.url is wrong, and connects only when the object is first used.

/// The gate of one event loop, with its own pipelined connection; create, use and destroy it on the loop's
/// thread, or while the loop does not run. Handlers not called when it is destroyed never will be. Batches of
/// one coupon may be in flight together. They are decided in order, except those in flight at the moment the
/// server forgets its scripts (SCRIPT FLUSH, restart): these may change places.
std::unique_ptr<Gate> make_redis_gate(boost::asio::io_context& context, const RedisOptions& options);

/// One connection behind a lock: a call waits for the one before it.
std::unique_ptr<GateControl> make_redis_gate_control(const RedisOptions& options);

/// One connection, which blocks in the server while read waits.
std::unique_ptr<Outbox> make_redis_outbox(const RedisOptions& options);

std::unique_ptr<GateRecovery> make_redis_gate_recovery(const RedisOptions& options);

/// Refuses a server that cannot keep the promises: throws StartupError when it does not answer, is older
/// than 7.0, may evict keys, keeps no append-only file (unless options.allow_volatile), or stops syncing it
/// during rewrites. Logs how much a crash may lose when the file is not synced on every write, and what it
/// could not find out.
void require_safe_redis(const RedisOptions& options);

}  // namespace seonchak
