#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "core/model/coupon.hpp"

namespace seonchak {

/// The outcome of one request, in order of precedence: the first that applies is the answer.
/// A holder's retry always gets its coupon, so already_issued comes before every refusal.
enum class Decision {
  not_found,       ///< there is no such coupon
  already_issued,  ///< this user holds it: the first sequence again
  closed,          ///< closed by an operator, or closes_at has come
  not_open,        ///< opens_at has not come
  sold_out,        ///< every one of `stock` is issued
  issued,          ///< this user is among the first
};

std::string_view to_string(Decision decision);

/// What the gate knows of a coupon when it decides; `now` is the gate's clock.
struct GateState {
  std::int64_t stock = 0;
  Sequence sequence = 0;  ///< the last one issued; also how many are issued, as long as the epoch has no gap
  std::int64_t issued = 0;  ///< how many users hold the coupon
  std::int64_t counted =
      -1;  ///< how many the gate has counted: fewer hold it when some were lost; -1: unknown
  std::optional<Time> opens_at;
  std::optional<Time> closes_at;
  bool closed = false;
  Epoch epoch = 0;
  GateRevision revision = 0;
  Sequence published = 0;  ///< every sequence up to here is acknowledged by the log
  Sequence persisted = 0;  ///< every sequence up to here is committed in the store
  Time now{};
};

/// The rule, as a pure function; gate/claim.lua says the same in Lua, and a test runs both on one history.
/// `state` is nothing for an unknown coupon; `holds` tells whether the user already has this coupon.
Decision decide(const std::optional<GateState>& state, bool holds);

}  // namespace seonchak
