#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

GateRevision committed_revision(const Coupon& coupon) {
  return GateRevision(coupon.revision.value() * 2);
}

GateConfig config_of(const Coupon& coupon, GateRevision revision) {
  return {.id = coupon.id,
          .epoch = coupon.epoch,
          .stock = coupon.stock,
          .opens_at = coupon.opens_at,
          .closes_at = coupon.closes_at,
          .closed = coupon.closed,
          .created_at = coupon.created_at,
          .gate = coupon.gate,
          .revision = revision};
}

}  // namespace

GateConfig committed(const Coupon& coupon) {
  return config_of(coupon, committed_revision(coupon));
}

GateConfig proposed(const Coupon& coupon) {
  return config_of(coupon, committed_revision(coupon) + 1);
}

Revision first_above(GateRevision revision) {
  return Revision((revision.value() + 1) / 2 + 1);
}

bool has_revision(const GateState& gate, const Coupon& coupon) {
  return gate.epoch == coupon.epoch && gate.revision >= committed_revision(coupon);
}

bool has_exactly(const GateState& gate, const Coupon& coupon) {
  return gate.epoch == coupon.epoch && gate.revision == committed_revision(coupon);
}

bool is_ahead(const GateState& gate, const Coupon& coupon) {
  return gate.epoch == coupon.epoch && gate.revision > committed_revision(coupon) + 1;
}

bool loosens(const GateState& gate, const Coupon& coupon) {
  return coupon.stock > gate.stock || coupon.opens_at != gate.opens_at || coupon.closes_at != gate.closes_at;
}

}  // namespace seonchak
