#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "core/model/coupon.hpp"
#include "core/model/decision.hpp"

namespace seonchak {

/// What a gate is told of a coupon, and keeps but for `gate`.
struct GateConfig {
  std::string id;
  Epoch epoch = 0;
  std::int64_t stock = 0;
  std::optional<Time> opens_at{};
  std::optional<Time> closes_at{};
  bool closed = false;
  Time created_at{};          ///< tells the coupon from another one that had its id
  std::string gate{};         ///< Coupon::gate: no other server may take this
  GateRevision revision = 0;  ///< of stock, window and closed
};

/// A committed revision R is 2R for the gate. A change that lowers the stock is first put to the gate as
/// 2R+1, above what it had and below whatever the store commits next, so a late repeat of the old revision in
/// another process can't raise the stock again before the commit.
GateConfig committed(const Coupon& coupon);
GateConfig proposed(const Coupon& coupon);

/// The lowest revision that, committed, is above this one of a gate, and above one more of it.
Revision first_above(GateRevision revision);

/// Whether the gate has this revision of `coupon`, as committed, or a later one.
bool has_revision(const GateState& gate, const Coupon& coupon);

/// Whether the gate has `coupon` as it was committed, and nothing later.
bool has_exactly(const GateState& gate, const Coupon& coupon);

/// Whether the gate has a revision that the store has never given out. `coupon` must have been read after
/// `gate`: then it is a store that has fallen back behind its gate.
bool is_ahead(const GateState& gate, const Coupon& coupon);

/// Whether somebody whom the gate refuses now might not be refused with `coupon`.
bool loosens(const GateState& gate, const Coupon& coupon);

}  // namespace seonchak
