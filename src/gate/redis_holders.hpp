#pragma once
#include <string>

#include "core/ports/gate.hpp"
#include "gate/redis_reply.hpp"

namespace seonchak {

/// One page of a coupon's holders, by HSCAN. `cursor` is empty for the first.
std::string scan_holders_command(const std::string& coupon_id, const std::string& cursor);
Result<HoldersPage> read_holders_page(const std::string& coupon_id, const redisReply& reply);

}  // namespace seonchak
