#include <algorithm>
#include <iterator>
#include <optional>

#include "base/mutex.hpp"
#include "core/ports/gate_recovery.hpp"
#include "gate/redis/active.hpp"
#include "gate/redis/client.hpp"
#include "gate/redis/holders.hpp"
#include "gate/redis/identity.hpp"
#include "gate/redis/per_coupon.hpp"
#include "gate/redis/redis.hpp"
#include "gate/redis/scripts.hpp"
#include "gate/redis/sentinel.hpp"

namespace seonchak {

namespace {

/// Other callers get their turn in between.
constexpr std::size_t states_part_max = 256;

Error malformed_holder(const std::string& coupon_id) {
  return {Errc::gate_unusable, "redis holds a malformed holder of coupon " + coupon_id};
}

class RedisGateControl final : public GateControl {
 public:
  explicit RedisGateControl(const RedisOptions& options)
      : address_(parse_redis_url(options.url)),
        call_timeout_(options.call_timeout),
        outbox_sequences_max_(options.outbox_sequences_max),
        client_(options) {}

  Result<void> install(const GateConfig& config) override {
    return status_of(config.id, install_call(config));
  }
  Result<void> configure(const GateConfig& config) override {
    return status_of(config.id, configure_call(config), config.gate);
  }

  Result<GateState> state(const std::string& coupon_id) override {
    const auto reply = run(state_call(coupon_id));
    if (!reply) return reply.error();
    return read_state(coupon_id, **reply);
  }

  PerCoupon<GateState> states(std::span<const std::string> coupon_ids) override {
    PerCoupon<GateState> states;
    while (states.size() < coupon_ids.size()) {
      const auto rest = coupon_ids.subspan(states.size());
      const auto part = rest.first(std::min(rest.size(), states_part_max));
      std::vector<ScriptCall> calls;
      for (const std::string& id : part) calls.push_back(state_call(id));
      const MutexLock lock(mutex_);
      const auto read = [&](std::size_t i, const redisReply& reply) { return read_state(part[i], reply); };
      auto answers = read_each<GateState>(client_.call_all(calls), read);
      const auto down = nobody_reached(answers);
      if (down) answers = for_each_coupon<GateState>(rest.size(), *down);
      std::ranges::move(answers, std::back_inserter(states));
    }
    return states;
  }

  PerCoupon<std::optional<Holding>> holdings(const std::string& user_id,
                                             std::span<const std::string> coupon_ids) override {
    std::vector<std::string> commands;
    commands.reserve(coupon_ids.size());
    for (const std::string& id : coupon_ids)
      commands.push_back(redis_command({"HGET", CouponKeys(id).holders, user_id}));
    const auto read = [&](std::size_t i, const redisReply& reply) -> Result<std::optional<Holding>> {
      if (is_error(reply)) return refusal(reply);
      const auto value = text_of(reply);
      if (!value) return std::optional<Holding>();
      const auto holder = read_holder(user_id, *value);
      if (!holder) return malformed_holder(coupon_ids[i]);
      return std::optional(Holding{coupon_ids[i], holder->sequence, holder->issued_at});
    };
    const MutexLock lock(mutex_);
    return read_each<std::optional<Holding>>(client_.call_all(commands), read);
  }

  Result<ClaimReply> claim_now(ClaimBatch batch) override {
    const std::size_t users = batch.users.size();
    if (users == 0 || users > claim_users_max) {
      return Error{Errc::invalid, "a batch carries 1 to " + std::to_string(claim_users_max) + " users"};
    }
    const MutexLock lock(mutex_);
    leave_hint(batch);
    const auto reply = client_.call(claim_call(batch, outbox_sequences_max_), batch.gate);
    if (!reply) return reply.error();
    return read_claims(batch.coupon_id, users, **reply);
  }

  Result<HoldersPage> holders_page(const std::string& coupon_id, const std::string& cursor) override {
    const MutexLock lock(mutex_);
    return scan_holders(client_, coupon_id, cursor);
  }

  Result<std::vector<std::optional<Holder>>> holders_of(const GateConfig& config,
                                                        std::span<const std::string> users) override {
    std::vector<std::optional<Holder>> holders;
    while (holders.size() < users.size()) {
      const auto rest = users.subspan(holders.size());
      const auto part = rest.first(std::min(rest.size(), recovery_holders_max));
      const auto reply = run(holders_call(config, part), config.gate);
      if (!reply) return reply.error();
      if (auto status = read_status(config.id, **reply); !status) return status.error();
      if (size_of(**reply) != part.size() + 1) return malformed_holder(config.id);
      for (std::size_t i = 0; i < part.size(); ++i) {
        const auto value = text_of(element(**reply, i + 1));
        holders.push_back(value ? read_holder(part[i], *value) : std::nullopt);
        if (value && !holders.back()) return malformed_holder(config.id);
      }
    }
    return holders;
  }

  Result<GateIdentity> identity(const std::string&) override {
    // Who decides which server is trusted must follow the Sentinels, not a connection that outlived its
    // master.
    const bool by_sentinel = !address_.sentinels.empty();
    const auto master =
        by_sentinel ? locate_master(address_, call_timeout_) : Result<RedisEndpoint>(address_.server);
    if (!master) return master.error();
    const MutexLock lock(mutex_);
    const auto reply = client_.call(identity_command());
    if (!reply) return reply.error();
    if (client_.server() != *master) {
      return Error{Errc::unavailable, "the master is " + master->label() + " now"};
    }
    return read_identity(**reply);
  }

  Result<void> check() override {
    const MutexLock lock(mutex_);
    const auto reply = client_.call(no_change_command());
    if (!reply) return reply.error();
    // About the hints alone, without which claims go on.
    if (is_error(**reply, "WRONGTYPE") || is_error(**reply, "NOPERM")) return {};
    if (is_error(**reply)) return refusal(**reply);
    return {};
  }

  Result<void> room() override {
    const auto reply = run(room_call());
    if (!reply || !is_error(**reply, "OOM")) return {};
    return Error{Errc::outbox_full, "redis has reached its maxmemory: new users are answered 503"};
  }

 private:
  void leave_hint(const ClaimBatch& batch) REQUIRES(mutex_) {
    if (!hints_.is_due(batch.coupon_id)) return;
    const auto reply = client_.call(hint_command(batch.coupon_id), {}, batch.gate);
    if (!reply || is_error(**reply)) hints_.not_left(batch.coupon_id);
  }

  Result<Reply> run(const ScriptCall& script, const std::string& identity = {}) {
    const MutexLock lock(mutex_);
    return client_.call(script, identity);
  }

  Result<void> status_of(const std::string& coupon_id, const ScriptCall& script,
                         const std::string& identity = {}) {
    const auto reply = run(script, identity);
    if (!reply) return reply.error();
    return read_status(coupon_id, **reply);
  }

  const RedisAddress address_;
  const std::chrono::milliseconds call_timeout_;
  const std::int64_t outbox_sequences_max_;
  Mutex mutex_;
  RedisClient client_ GUARDED_BY(mutex_);
  HintsLeft hints_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<GateControl> make_redis_gate_control(const RedisOptions& options) {
  return std::make_unique<RedisGateControl>(options);
}

}  // namespace seonchak
