#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/text_hash.hpp"
#include "base/ticker.hpp"
#include "core/ports/gate.hpp"
#include "gate/redis/command.hpp"
#include "gate/redis/reply.hpp"

namespace seonchak {

/// Leaves a hint that the coupon is claimed, in a sorted set of all coupons: its score is the present, in
/// milliseconds. A full server refuses it, as it refuses the claim that follows.
std::string hint_command(const std::string& coupon_id);

/// A write that changes nothing, which a server takes or refuses as it does a claim's, but for its memory: a
/// full one still answers holders. It needs no right that the hints do not need.
std::string no_change_command();

/// Which hints one connection has left lately. Used from one thread at a time.
class HintsLeft {
 public:
  /// Whether it is time for a hint, which then counts as left.
  bool is_due(const std::string& coupon_id);
  void not_left(const std::string& coupon_id) { left_.erase(coupon_id); }

 private:
  TextMap<Ticker::TimePoint> left_;
};

std::string active_command(std::size_t limit);
Result<std::vector<ActiveCoupon>> read_active(const redisReply& reply);

ScriptCall settle_active_call(const std::string& coupon_id, Time last_hint);

}  // namespace seonchak
