#pragma once
#include <string>

#include "core/ports/gate.hpp"
#include "gate/redis/client.hpp"

namespace seonchak {

/// One page of a coupon's holders, by HSCAN; `cursor` as in GateControl::holders_page. A cursor is a place in
/// one server's table, so it names that server: gate_untrusted on another one.
Result<HoldersPage> scan_holders(RedisClient& client, const std::string& coupon_id,
                                 const std::string& cursor);

}  // namespace seonchak
