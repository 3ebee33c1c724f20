#pragma once
#include <string>

#include "base/error.hpp"
#include "core/ports/gate.hpp"
#include "gate/redis/reply.hpp"

namespace seonchak {

/// Asks a server who it is: INFO, one section of which tells its life and another its history.
std::string identity_command();

/// Errors: unavailable, also for a replica, which must not be written to.
Result<GateIdentity> read_identity(const redisReply& reply);

}  // namespace seonchak
