#include "core/catalog/gate_copy.hpp"

namespace seonchak {

Coupon committed_for_gate(Coupon coupon) {
  coupon.revision = coupon.revision * 2;
  return coupon;
}

Coupon proposed_for_gate(Coupon coupon) {
  coupon.revision = coupon.revision * 2 + 1;
  return coupon;
}

bool has_revision(const GateState& gate, const Coupon& coupon) {
  return gate.epoch == coupon.epoch && gate.revision >= committed_for_gate(coupon).revision;
}

bool loosens(const GateState& gate, const Coupon& coupon) {
  return coupon.stock > gate.stock || coupon.opens_at != gate.opens_at || coupon.closes_at != gate.closes_at;
}

}  // namespace seonchak
