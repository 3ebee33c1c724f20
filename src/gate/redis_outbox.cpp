#include <thread>

#include "gate/redis.hpp"
#include "gate/redis_client.hpp"
#include "gate/redis_scripts.hpp"
#include "gate/redis_stream.hpp"

namespace seonchak {

namespace {

class RedisOutbox final : public Outbox {
 public:
  explicit RedisOutbox(const RedisOptions& options) : client_(options) {}

  Result<std::vector<OutboxEntry>> read(std::span<const Mark> after, std::size_t entries_max,
                                        std::chrono::milliseconds wait) override {
    if (after.empty() || entries_max == 0) {
      std::this_thread::sleep_for(wait);
      return std::vector<OutboxEntry>();
    }
    std::vector<std::string> words = {"XREAD", "COUNT", std::to_string(entries_max)};
    if (wait.count() > 0) words.insert(words.end(), {"BLOCK", std::to_string(wait.count())});
    words.emplace_back("STREAMS");
    for (const Mark& mark : after) words.push_back(CouponKeys(mark.coupon_id).outbox);
    for (const Mark& mark : after) words.push_back(std::to_string(mark.sequence) + "-0");
    const auto reply = client_.call(redis_command(words), wait);
    if (!reply) return reply.error();
    return read_outbox_entries(**reply);
  }

  Result<void> mark_published(std::span<const Mark> marks) override {
    std::vector<ScriptCall> calls;
    for (const Mark& mark : marks) calls.push_back(published_call(mark));
    return run_all(calls);
  }

  Result<void> mark_persisted(std::span<const Mark> marks) override {
    std::vector<ScriptCall> calls;
    for (const Mark& mark : marks) calls.push_back(persisted_call(mark));
    return run_all(calls);
  }

  Result<std::vector<std::string>> lease(std::span<const std::string> coupon_ids, const std::string& owner,
                                         std::chrono::milliseconds ttl) override {
    std::vector<ScriptCall> calls;
    for (const std::string& id : coupon_ids) calls.push_back(lease_call(id, owner, ttl));
    const auto replies = client_.call_all(calls);
    if (!replies) return replies.error();
    std::vector<std::string> leased;
    for (std::size_t i = 0; i < coupon_ids.size(); ++i) {
      const redisReply& reply = *(*replies)[i];
      if (is_error(reply)) return refusal(reply);
      if (integer_of(reply) == 1) leased.push_back(coupon_ids[i]);
    }
    return leased;
  }

  Result<void> release(std::span<const std::string> coupon_ids, const std::string& owner) override {
    std::vector<ScriptCall> calls;
    for (const std::string& id : coupon_ids) calls.push_back(release_call(id, owner));
    return run_all(calls);
  }

  Result<std::vector<Progress>> progress(std::span<const std::string> coupon_ids) override {
    std::vector<std::string> commands;
    for (const std::string& id : coupon_ids) {
      commands.push_back(redis_command({"HMGET", CouponKeys(id).state, "published", "persisted", "epoch"}));
    }
    const auto replies = client_.call_all(commands);
    if (!replies) return replies.error();
    std::vector<Progress> progress;
    for (const Reply& reply : *replies) {
      if (is_error(*reply)) return refusal(*reply);
      if (size_of(*reply) != 3)
        return Error{Errc::unavailable, "redis answered a progress with something else"};
      progress.push_back({integer_of(element(*reply, 0)).value_or(0),
                          integer_of(element(*reply, 1)).value_or(0),
                          integer_of(element(*reply, 2)).value_or(0)});
    }
    return progress;
  }

 private:
  /// Of scripts whose only answer is that they ran.
  Result<void> run_all(std::span<const ScriptCall> calls) {
    const auto replies = client_.call_all(calls);
    if (!replies) return replies.error();
    for (const Reply& reply : *replies) {
      if (is_error(*reply)) return refusal(*reply);
    }
    return {};
  }

  RedisClient client_;
};

}  // namespace

std::unique_ptr<Outbox> make_redis_outbox(const RedisOptions& options) {
  return std::make_unique<RedisOutbox>(options);
}

}  // namespace seonchak
