#include "core/catalog/open_coupon.hpp"

#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

Error overtaken(const std::string& coupon_id) {
  return {Errc::gate_epoch, "another process opens coupon " + coupon_id};
}

// Once the gate has the state: one commit.
Result<void> settle_epoch(Store& store, Coupon& coupon) {
  auto settled = store.update_coupon(coupon.id, [&](Coupon& row) -> Result<void> {
    if (row.epoch != coupon.epoch) return overtaken(coupon.id);
    row.settled = row.epoch;
    return {};
  });
  if (!settled) return settled.error();
  coupon = *settled;
  return {};
}

}  // namespace

Result<void> draw_epoch(Store& store, GateControl& gate, Coupon& coupon) {
  const auto identity = gate.identity(coupon.id);
  if (!identity) return identity.error();
  bool already_open = false;
  auto drawn = store.update_coupon(coupon.id, [&](Coupon& row) -> Result<void> {
    already_open = row.phase() != Phase::unopened;
    if (already_open) return overtaken(row.id);
    ++row.epoch;
    row.gate = identity->name();
    return {};
  });
  if (already_open) drawn = store.coupon(coupon.id);
  if (!drawn) return drawn.error();
  coupon = *drawn;
  return {};
}

Result<void> open_drawn_coupon(Store& store, GateControl& gate, Coupon& coupon) {
  const auto installed = gate.install(committed(coupon));
  if (!installed && installed.error().code != Errc::gate_later) return installed.error();
  return settle_epoch(store, coupon);
}

Result<void> open_coupon(Store& store, GateControl& gate, Coupon& coupon) {
  if (auto drawn = draw_epoch(store, gate, coupon); !drawn) return drawn.error();
  if (coupon.phase() != Phase::unopened) return {};
  return open_drawn_coupon(store, gate, coupon);
}

}  // namespace seonchak
