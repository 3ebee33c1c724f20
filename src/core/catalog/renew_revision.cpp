#include "core/catalog/renew_revision.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

/// Between two of them others are issued; each takes two calls to the gate under the row's lock.
constexpr int freezes_max = 4;

constexpr GateRevision gate_revision_max(std::int64_t{1} << 52);  // a double counts on from there

/// What the gate has now, but for its stock.
GateConfig frozen(const GateState& state, const Coupon& row, std::int64_t stock) {
  GateConfig config = committed(row);
  config.stock = stock;
  config.opens_at = state.opens_at;
  config.closes_at = state.closes_at;
  config.closed = state.closed;
  config.revision = state.revision + 1;
  return config;
}

/// Brings `row` above its gate. Its stock is the gate's upper limit when this returns.
Result<void> overtake(GateControl& gate, Coupon& row) {
  for (int i = 0; i < freezes_max; ++i) {
    const auto state = gate.state(row.id);
    if (!state) return state.error();
    if (state->epoch != row.epoch) return Error{Errc::gate_epoch, "the coupon is to be recovered"};
    if (state->revision >= gate_revision_max)
      return Error{Errc::gate_unusable, "the gate's revision of coupon " + row.id + " is none of ours"};
    // Above what is frozen below, too.
    row.revision = std::max(row.revision, first_above(state->revision));
    const std::int64_t stock = std::max(row.stock, state->issued);
    if (state->stock > stock) {
      const auto stopped = gate.configure(frozen(*state, row, stock));
      const bool others_came = !stopped && (stopped.error().code == Errc::stock_below_issued ||
                                            stopped.error().code == Errc::gate_later);
      if (others_came) continue;
      if (!stopped) return stopped.error();
    }
    row.stock = stock;
    return {};
  }
  return Error{Errc::unavailable, "coupon " + row.id + " is issued faster than its stock can be settled"};
}

}  // namespace

Result<Coupon> renew_revision(Store& store, GateControl& gate, const std::string& coupon_id) {
  std::optional<Coupon> as_it_was;
  bool needless = false;
  auto renewed = store.update_coupon(coupon_id, [&](Coupon& row) -> Result<void> {
    as_it_was = row;
    const auto state = gate.state(row.id);
    if (!state) return state.error();
    needless = state->epoch == row.epoch && !is_ahead(*state, row) && state->stock <= row.stock;
    if (needless) return Error{Errc::invalid, "the store is not behind the gate"};
    return overtake(gate, row);
  });
  if (needless) return *as_it_was;
  if (!renewed) return renewed;
  log::warn("the store had fallen back behind the gate: the coupon has a new revision",
            {{"coupon", coupon_id},
             {"was_revision", as_it_was->revision},
             {"revision", renewed->revision},
             {"was_stock", as_it_was->stock},
             {"stock", renewed->stock}});
  return renewed;
}

}  // namespace seonchak
