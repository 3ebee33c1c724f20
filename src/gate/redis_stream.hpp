#pragma once
#include <vector>

#include "base/error.hpp"
#include "core/ports/gate.hpp"
#include "gate/redis_reply.hpp"

namespace seonchak {

/// The entries in an answer to XREAD of outboxes: [[stream, [entry, ...]], ...], or nil when the wait was in
/// vain. Errors: unavailable, for anything that claim.lua does not write.
Result<std::vector<OutboxEntry>> read_outbox_entries(const redisReply& reply);

}  // namespace seonchak
