#pragma once
#include <chrono>
#include <span>
#include <string>

#include "base/error.hpp"
#include "core/ports/gate.hpp"
#include "gate/redis/reply.hpp"

namespace seonchak {

/// XREAD of outboxes, which blocks in the server for `wait`, if any.
std::string read_outbox_command(std::span<const Watermark> after, std::size_t entries_max,
                                std::chrono::milliseconds wait);

/// What an answer to it holds: [[stream, [entry, ...]], ...], or nil when the wait was in vain. A coupon
/// fails whose first entry is nothing that claim.lua writes; entries before such a one are returned. Errors:
/// gate_unusable when one of the keys is no outbox, else unavailable.
Result<OutboxRead> read_outbox_entries(const redisReply& reply);

}  // namespace seonchak
