#pragma once
#include "core/model/coupon.hpp"
#include "core/model/decision.hpp"

namespace seonchak {

/// The revision a gate sees. A committed revision R is 2R; a change that lowers the stock is first put to the
/// gate as 2R+1, above what it had and below whatever the store commits next, so a late repeat of the old
/// revision in another process can't raise the stock again before the commit.
Coupon committed_for_gate(Coupon coupon);
Coupon proposed_for_gate(Coupon coupon);

/// Whether the gate has this revision of `coupon`, as committed_for_gate, or a later one.
bool has_revision(const GateState& gate, const Coupon& coupon);

/// Whether somebody whom the gate refuses now might not be refused with `coupon`.
bool loosens(const GateState& gate, const Coupon& coupon);

}  // namespace seonchak
