#pragma once
#include <string>

#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// For a coupon whose gate has a later revision, or more stock, than the store: the store has fallen back.
/// Gives the row a revision above the gate's, and commits what the row says; but a stock that is below what
/// is issued becomes that many, since those are acknowledged. A gate that may issue more is stopped there
/// first. Returns the row as it is now, also when there was no need, as when somebody else was faster; the
/// gate is told of it by whoever calls. docs/decisions/0019.
///
/// Errors: not_found, row_held, gate_epoch and gate_missing (that is for a recovery), unavailable.
Result<Coupon> renew_revision(Store& store, GateControl& gate, const std::string& coupon_id);

}  // namespace seonchak
