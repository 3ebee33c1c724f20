#pragma once
#include "core/model/coupon.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// Opens the gate of a coupon that was never opened. Each attempt draws an epoch of its own from the store,
/// creates the gate's state in it, and only then lets the store say that it may be trusted: a late attempt
/// that was overtaken can't pass for the trusted one. Does nothing when the coupon is open. Fails with
/// gate_epoch when another process drew later; then that one opens it. On success `coupon` is as the store
/// has it.
Result<void> open_coupon(Store& store, GateControl& gate, Coupon& coupon);

/// The first third of open_coupon: one commit. On success `coupon` is as the store has it: with an epoch of
/// this attempt's own, or open already.
Result<void> draw_epoch(Store& store, GateControl& gate, Coupon& coupon);

/// The rest of it: creates the gate's state in the epoch that `coupon`, as the store has it, has drawn on the
/// server that coupon.gate names, and settles it.
///
/// A gate that has more of this coupon already was opened, and the store has fallen back to before that,
/// unless another process drew later. Such a coupon is settled as well: as one that is open in the store and
/// in another epoch in its gate, it is recovered.
Result<void> open_drawn_coupon(Store& store, GateControl& gate, Coupon& coupon);

}  // namespace seonchak
