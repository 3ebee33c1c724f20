#include "embedded/gate_scripts.hpp"
#include "gate/redis/scripts.hpp"

namespace seonchak {

namespace {

std::string holder_value(const Holder& holder) {
  return to_string(holder.sequence) + ':' + std::to_string(to_millis(holder.issued_at));
}

std::string join(const std::vector<std::string>& users) {
  std::string joined;
  for (const std::string& user : users) {
    if (!joined.empty()) joined += ',';
    joined += user;
  }
  return joined;
}

}  // namespace

std::optional<Holder> read_holder(std::string_view user_id, std::string_view value) {
  const auto colon = value.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto sequence = parse_count(value.substr(0, colon));
  const auto issued_at = parse_millis(value.substr(colon + 1));
  if (!sequence || !issued_at) return std::nullopt;
  return Holder{std::string(user_id), Sequence(*sequence), *issued_at};
}

ScriptCall holders_call(const GateConfig& config, std::span<const std::string> users) {
  static const Script script(embedded::k_holders_lua);
  const CouponKeys keys(config.id);
  ScriptCall call(script, {keys.state, keys.holders});
  call.add(config.epoch);
  for (const std::string& user : users) call.add(user);
  return call;
}

ScriptCall begin_recovery_call(const GateConfig& config, const std::string& token,
                               const std::string& expected) {
  static const Script script(embedded::k_begin_recovery_lua);
  const CouponKeys keys(config.id);
  ScriptCall call(script, {keys.state, keys.holders, keys.outbox});
  call.add(token).add(to_millis(config.created_at)).add(expected);
  return call;
}

ScriptCall put_holders_call(const std::string& coupon_id, const std::string& token,
                            std::span<const Holder> holders, bool first) {
  static const Script script(embedded::k_put_holders_lua);
  const CouponKeys keys(coupon_id);
  ScriptCall call(script, {keys.state, keys.holders});
  call.add(token).add(std::int64_t{first});
  for (const Holder& holder : holders) call.add(holder.user_id).add(holder_value(holder));
  return call;
}

ScriptCall put_outbox_call(const std::string& coupon_id, const std::string& token,
                           std::span<const OutboxEntry> entries, bool first) {
  static const Script script(embedded::k_put_outbox_lua);
  const CouponKeys keys(coupon_id);
  ScriptCall call(script, {keys.state, keys.outbox});
  call.add(token).add(std::int64_t{first});
  for (const OutboxEntry& entry : entries) {
    call.add(entry.last_sequence()).add(entry.epoch).add(to_millis(entry.issued_at)).add(join(entry.users));
  }
  return call;
}

ScriptCall open_recovered_call(const GateConfig& config, const std::string& token,
                               const RebuiltWatermarks& watermarks) {
  static const Script script(embedded::k_open_recovered_lua);
  const CouponKeys keys(config.id);
  ScriptCall call(script, {keys.state, keys.holders, keys.outbox});
  call.add(token).add(config.epoch);
  call.add(watermarks.sequence).add(watermarks.persisted).add(watermarks.pending).add(config.stock);
  call.add(millis_or_empty(config.opens_at)).add(millis_or_empty(config.closes_at));
  call.add(std::int64_t{config.closed}).add(config.revision);
  return call;
}

}  // namespace seonchak
