#include <algorithm>
#include <iterator>

#include "gate/redis/active.hpp"
#include "gate/redis/client.hpp"
#include "gate/redis/holders.hpp"
#include "gate/redis/redis.hpp"
#include "gate/redis/scripts.hpp"

namespace seonchak {

namespace {

class RedisGateRecovery final : public GateRecovery {
 public:
  explicit RedisGateRecovery(const RedisOptions& options) : client_(options) {}

  Result<std::string> observe(const std::string& coupon_id) override {
    const auto reply = client_.call(redis_command({"HGET", CouponKeys(coupon_id).state, "epoch"}));
    if (!reply) return reply.error();
    if (is_error(**reply)) return refusal(**reply);
    return std::string(text_of(**reply).value_or(""));
  }

  Result<Remains> begin(const GateConfig& config, const std::string& token,
                        const std::string& expected) override {
    const auto reply = client_.call(begin_recovery_call(config, token, expected), config.gate);
    if (!reply) return reply.error();
    if (auto status = read_status(config.id, **reply); !status) return status.error();
    if (size_of(**reply) != 10)
      return Error{Errc::gate_unusable, "redis began a recovery with an odd answer"};
    // "" for none is no number.
    const auto number = [&](std::size_t index, std::int64_t none) {
      return count_of(element(**reply, index)).value_or(none);
    };
    const auto sequence = [&](std::size_t index) { return Sequence(number(index, 0)); };
    return Remains{Epoch(number(1, 0)), sequence(2),  sequence(3), number(4, 0),     number(5, -1),
                   sequence(6),         number(7, 0), sequence(8), number(9, 1) != 0};
  }

  Result<std::vector<Holder>> survivors(const std::string& coupon_id, Sequence after) override {
    std::vector<Holder> holders;
    std::string cursor;
    do {
      auto page = scan_holders(client_, coupon_id, cursor);
      if (!page) return page.error();
      std::ranges::copy_if(page->holders, std::back_inserter(holders),
                           [&](const Holder& holder) { return holder.sequence > after; });
      cursor = std::move(page->next);
    } while (!cursor.empty());
    // A scan may repeat an element.
    std::ranges::sort(holders, {}, &Holder::user_id);
    const auto repeats = std::ranges::unique(holders, {}, &Holder::user_id);
    holders.erase(repeats.begin(), repeats.end());
    return holders;
  }

  Result<void> put_holders(const std::string& coupon_id, const std::string& token,
                           std::span<const Holder> holders, bool first) override {
    do {
      const auto part = holders.first(std::min(holders.size(), recovery_holders_max));
      if (auto done = status_of(coupon_id, put_holders_call(coupon_id, token, part, first)); !done)
        return done;
      holders = holders.subspan(part.size());
      first = false;
    } while (!holders.empty());
    return {};
  }

  Result<void> put_outbox(const std::string& coupon_id, const std::string& token,
                          std::span<const OutboxEntry> entries, bool first) override {
    return status_of(coupon_id, put_outbox_call(coupon_id, token, entries, first));
  }

  Result<void> open(const GateConfig& config, const std::string& token,
                    const RebuiltWatermarks& watermarks) override {
    (void)client_.call(hint_command(config.id), {}, config.gate);
    const auto reply = client_.call(open_recovered_call(config, token, watermarks), config.gate);
    if (!reply) return reply.error();
    return read_status(config.id, **reply);
  }

 private:
  Result<void> status_of(const std::string& coupon_id, const ScriptCall& call) {
    const auto reply = client_.call(call);
    if (!reply) return reply.error();
    return read_status(coupon_id, **reply);
  }

  RedisClient client_;
};

}  // namespace

std::unique_ptr<GateRecovery> make_redis_gate_recovery(const RedisOptions& options) {
  return std::make_unique<RedisGateRecovery>(options);
}

}  // namespace seonchak
