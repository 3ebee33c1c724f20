#include <mutex>
#include <optional>

#include "gate/redis.hpp"
#include "gate/redis_client.hpp"
#include "gate/redis_scripts.hpp"

namespace seonchak {

namespace {

/// "SEQUENCE:ISSUED_AT_MS" of the holders hash.
std::optional<Holding> read_holding(const std::string& coupon_id, std::string_view value) {
  Holding holding{coupon_id, 0, {}};
  const auto colon = value.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto sequence = parse_integer(value.substr(0, colon));
  const auto millis = parse_integer(value.substr(colon + 1));
  if (!sequence || !millis) return std::nullopt;
  holding.sequence = *sequence;
  holding.issued_at = from_millis(*millis);
  return holding;
}

class RedisGateControl final : public GateControl {
 public:
  explicit RedisGateControl(const RedisOptions& options)
      : outbox_sequences_max_(options.outbox_sequences_max), client_(options) {}

  Result<void> install(const Coupon& coupon) override { return status_of(coupon.id, install_call(coupon)); }
  Result<void> configure(const Coupon& coupon) override {
    return status_of(coupon.id, configure_call(coupon));
  }

  Result<GateState> state(const std::string& coupon_id) override {
    const auto reply = run(state_call(coupon_id));
    if (!reply) return reply.error();
    return read_state(coupon_id, **reply);
  }

  Result<std::vector<Holding>> holdings(const std::string& user_id,
                                        std::span<const std::string> coupon_ids) override {
    std::vector<std::string> commands;
    commands.reserve(coupon_ids.size());
    for (const std::string& id : coupon_ids)
      commands.push_back(redis_command({"HGET", CouponKeys(id).holders, user_id}));

    const std::lock_guard lock(mutex_);
    const auto replies = client_.call_all(commands);
    if (!replies) return replies.error();
    std::vector<Holding> holdings;
    for (std::size_t i = 0; i < coupon_ids.size(); ++i) {
      const redisReply& reply = *(*replies)[i];
      if (is_error(reply)) return refusal(reply);
      const auto value = text_of(reply);
      if (!value) continue;
      auto holding = read_holding(coupon_ids[i], *value);
      if (!holding)
        return Error{Errc::unavailable, "redis holds a malformed holder of coupon " + coupon_ids[i]};
      holdings.push_back(std::move(*holding));
    }
    return holdings;
  }

  Result<ClaimReply> claim_now(ClaimBatch batch) override {
    const std::size_t users = batch.users.size();
    if (users == 0 || users > claim_users_max) {
      return Error{Errc::invalid, "a batch carries 1 to " + std::to_string(claim_users_max) + " users"};
    }
    const auto reply = run(claim_call(batch, outbox_sequences_max_));
    if (!reply) return reply.error();
    return read_claims(batch.coupon_id, users, **reply);
  }

  Result<void> check() override {
    const std::lock_guard lock(mutex_);
    const auto reply = client_.call(redis_command({"PING"}));
    if (!reply) return reply.error();
    if (is_error(**reply)) return refusal(**reply);
    return {};
  }

 private:
  Result<Reply> run(const ScriptCall& script) {
    const std::lock_guard lock(mutex_);
    return client_.call(script);
  }

  Result<void> status_of(const std::string& coupon_id, const ScriptCall& script) {
    const auto reply = run(script);
    if (!reply) return reply.error();
    return read_status(coupon_id, **reply);
  }

  const std::int64_t outbox_sequences_max_;
  std::mutex mutex_;
  RedisClient client_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<GateControl> make_redis_gate_control(const RedisOptions& options) {
  return std::make_unique<RedisGateControl>(options);
}

}  // namespace seonchak
