#include <algorithm>
#include <iterator>
#include <thread>

#include "gate/redis/active.hpp"
#include "gate/redis/client.hpp"
#include "gate/redis/per_coupon.hpp"
#include "gate/redis/redis.hpp"
#include "gate/redis/scripts.hpp"
#include "gate/redis/stream.hpp"

namespace seonchak {

namespace {

class RedisOutbox final : public Outbox {
 public:
  explicit RedisOutbox(const RedisOptions& options) : client_(options) {}

  Result<OutboxRead> read(std::span<const Watermark> after, std::size_t entries_max,
                          std::chrono::milliseconds wait) override {
    if (after.empty() || entries_max == 0) {
      std::this_thread::sleep_for(wait);
      return OutboxRead();
    }
    const auto reply = client_.call(read_outbox_command(after, entries_max, wait), wait);
    if (!reply) return reply.error();
    if (is_error(**reply) && refusal(**reply).code == Errc::gate_unusable)
      return read_one_by_one(after, entries_max);
    return read_outbox_entries(**reply);
  }

  PerCoupon<void> raise_published(std::span<const Watermark> watermarks) override {
    std::vector<ScriptCall> calls;
    for (const Watermark& watermark : watermarks) calls.push_back(published_call(watermark));
    return run_all(calls);
  }

  PerCoupon<void> raise_persisted(std::span<const Watermark> watermarks) override {
    std::vector<ScriptCall> calls;
    for (const Watermark& watermark : watermarks) calls.push_back(persisted_call(watermark));
    return run_all(calls);
  }

  PerCoupon<void> reject(std::span<const Watermark> sequences) override {
    std::vector<ScriptCall> calls;
    for (const Watermark& rejected : sequences) calls.push_back(reject_call(rejected));
    return run_all(calls);
  }

  PerCoupon<bool> lease(std::span<const std::string> coupon_ids, const std::string& owner,
                        std::chrono::milliseconds ttl) override {
    std::vector<ScriptCall> calls;
    for (const std::string& id : coupon_ids) calls.push_back(lease_call(id, owner, ttl));
    return read_each<bool>(client_.call_all(calls), [](std::size_t, const redisReply& reply) -> Result<bool> {
      if (is_error(reply)) return refusal(reply);
      return integer_of(reply) == 1;
    });
  }

  PerCoupon<void> release(std::span<const std::string> coupon_ids, const std::string& owner) override {
    std::vector<ScriptCall> calls;
    for (const std::string& id : coupon_ids) calls.push_back(release_call(id, owner));
    return run_all(calls);
  }

  PerCoupon<Progress> progress(std::span<const std::string> coupon_ids) override {
    std::vector<std::string> commands;
    for (const std::string& id : coupon_ids) {
      commands.push_back(redis_command({"HMGET", CouponKeys(id).state, "published", "persisted", "epoch",
                                        "sequence", "rebuilt", "pending", "torn", "rejected"}));
    }
    std::vector<std::size_t> waiting;
    const auto read = [&](std::size_t i, const redisReply& reply) -> Result<Progress> {
      const auto stage = read_stage(coupon_ids[i], reply);
      if (!stage) return stage.error();
      if (stage->something_waits) waiting.push_back(i);
      return stage->progress;
    };
    auto progress = read_each<Progress>(client_.call_all(commands), read);
    find_lost(coupon_ids, waiting, progress);
    return progress;
  }

  Result<std::vector<ActiveCoupon>> active(std::size_t limit) override {
    if (limit == 0) return std::vector<ActiveCoupon>();
    const auto reply = client_.call(active_command(limit));
    if (!reply) return reply.error();
    return read_active(**reply);
  }

  Result<void> settle_active(const std::string& coupon_id, Time last_hint) override {
    const auto reply = client_.call(settle_active_call(coupon_id, last_hint));
    if (!reply) return reply.error();
    return ran(**reply);
  }

 private:
  /// To a script whose only answer is that it ran.
  static Result<void> ran(const redisReply& reply) {
    if (is_error(reply)) return refusal(reply);
    return {};
  }

  PerCoupon<void> run_all(std::span<const ScriptCall> calls) {
    return read_each<void>(client_.call_all(calls),
                           [](std::size_t, const redisReply& reply) { return ran(reply); });
  }

  struct Stage {
    Progress progress;
    bool something_waits = false;  ///< in the outbox, for the store
  };

  static Result<Stage> read_stage(const std::string& coupon_id, const redisReply& reply) {
    if (is_error(reply)) return refusal(reply);
    if (size_of(reply) != 8) return behind(coupon_id);
    if (!text_of(element(reply, 2))) return Stage();
    const auto number = [&](std::size_t index) { return count_of(element(reply, index)); };
    const auto published = number(0);
    const auto persisted = number(1);
    const auto epoch = number(2);
    if (!epoch) return Stage{{Sequence(published.value_or(0)), Sequence(persisted.value_or(0)), 0}, false};
    if (!published || !persisted || !number(3) || text_of(element(reply, 6))) return behind(coupon_id);
    // Between the end of a rebuilt outbox and the sequence it was opened with, nothing waits.
    const std::int64_t sequence = *number(3);
    const std::int64_t rebuilt = number(4).value_or(0);
    const std::int64_t last = sequence <= rebuilt ? number(5).value_or(sequence) : sequence;
    return Stage{{Sequence(*published), Sequence(*persisted), Epoch(*epoch), Sequence(rebuilt),
                  rejected_of(text_of(element(reply, 7)))},
                 last > *persisted};
  }

  /// What reject.lua wrote. Anything else vouches for nobody.
  static RejectedSequences rejected_of(std::optional<std::string_view> list) {
    RejectedSequences rejected;
    if (!list) return rejected;
    while (!list->empty()) {
      const std::string_view number = list->substr(0, list->find(','));
      const auto sequence = parse_integer(number);
      rejected.too_many = rejected.too_many || !sequence;
      if (sequence) rejected.kept.insert(Sequence(*sequence));
      list->remove_prefix(std::min(list->size(), number.size() + 1));
    }
    return rejected;
  }

  /// Those whose outbox has not what waits next. Coupons at rest cost no question.
  void find_lost(std::span<const std::string> coupon_ids, const std::vector<std::size_t>& waiting,
                 PerCoupon<Progress>& progress) {
    std::vector<ScriptCall> calls;
    for (const std::size_t i : waiting) calls.push_back(outbox_call(coupon_ids[i]));
    const auto replies = client_.call_all(calls);
    for (std::size_t n = 0; n < waiting.size(); ++n) {
      const std::string& id = coupon_ids[waiting[n]];
      if (replies[n] && integer_of(**replies[n]) == 0)
        progress[waiting[n]] = Error{Errc::gate_behind, "redis has lost the outbox of coupon " + id};
    }
  }

  static Error behind(const std::string& coupon_id) {
    return {Errc::gate_behind, "redis has lost a part of the state of coupon " + coupon_id};
  }

  /// One key that is no outbox fails a command for many.
  Result<OutboxRead> read_one_by_one(std::span<const Watermark> after, std::size_t entries_max) {
    std::vector<std::string> commands;
    for (const Watermark& watermark : after)
      commands.push_back(read_outbox_command({&watermark, 1}, entries_max, {}));
    const auto replies = client_.call_all(commands);
    OutboxRead all;
    for (std::size_t i = 0; i < after.size(); ++i) {
      auto read = replies[i] ? read_outbox_entries(**replies[i]) : replies[i].error();
      if (!read) {
        all.failed.push_back({after[i].coupon_id, read.error()});
        continue;
      }
      std::ranges::move(read->entries, std::back_inserter(all.entries));
      std::ranges::move(read->failed, std::back_inserter(all.failed));
    }
    return all;
  }

  RedisClient client_;
};

}  // namespace

std::unique_ptr<Outbox> make_redis_outbox(const RedisOptions& options) {
  return std::make_unique<RedisOutbox>(options);
}

}  // namespace seonchak
