#pragma once
#include "http/exchange.hpp"

namespace seonchak {

// POST /v1/coupons/{id}/issue; answers when the gate has decided and the coupon's ack stage is reached.
void issue_coupon(Exchange& exchange);

// These block on the store and the gate.
Answer create_coupon(const Call& call);
Answer list_coupons(const Call& call);
Answer show_coupon(const Call& call);
Answer change_coupon(const Call& call);
Answer close_coupon(const Call& call);
Answer show_user_coupons(const Call& call);

// These answer from memory.
Answer show_health(const Call& call);
Answer show_readiness(const Call& call);
Answer show_metrics(const Call& call);

}  // namespace seonchak
