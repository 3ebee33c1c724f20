#include "gate/redis/active.hpp"

#include <optional>

#include "base/clock.hpp"
#include "embedded/gate_scripts.hpp"

namespace seonchak {

namespace {

constexpr std::string_view active_key = "seonchak:active";
constexpr std::size_t hints_left_max = 10'000;  ///< beyond it all are left again

}  // namespace

std::string hint_command(const std::string& coupon_id) {
  return redis_command({"ZADD", active_key, std::to_string(to_millis(now())), coupon_id});
}

std::string no_change_command() {
  return redis_command({"ZREM", active_key, ""});
}

bool HintsLeft::is_due(const std::string& coupon_id) {
  const auto time = ticker().now();
  if (left_.size() >= hints_left_max) left_.clear();
  const auto [hint, first] = left_.try_emplace(coupon_id, time);
  if (!first && time - hint->second < active_hint_period) return false;
  hint->second = time;
  return true;
}

std::string active_command(std::size_t limit) {
  const std::string last = std::to_string(static_cast<std::int64_t>(limit) - 1);
  return redis_command({"ZRANGE", active_key, "0", last, "REV", "WITHSCORES"});
}

Result<std::vector<ActiveCoupon>> read_active(const redisReply& reply) {
  if (is_error(reply)) return refusal(reply);
  std::vector<ActiveCoupon> active;
  for (std::size_t i = 0; i + 1 < size_of(reply); i += 2) {
    const auto coupon_id = text_of(element(reply, i));
    const auto millis = integer_of(element(reply, i + 1));
    if (coupon_id && millis) active.push_back({std::string(*coupon_id), from_millis(*millis)});
  }
  return active;
}

ScriptCall settle_active_call(const std::string& coupon_id, Time last_hint) {
  static const Script script(embedded::k_settle_active_lua);
  ScriptCall call(script, {active_key});
  call.add(coupon_id).add(to_millis(last_hint));
  return call;
}

}  // namespace seonchak
