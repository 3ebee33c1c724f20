#include <algorithm>

#include "gate/redis.hpp"
#include "gate/redis_client.hpp"
#include "gate/redis_scripts.hpp"

namespace seonchak {

namespace {

/// Elements per HSCAN, a hint to the server.
constexpr std::string_view scan_count = "1000";

class RedisGateRecovery final : public GateRecovery {
 public:
  explicit RedisGateRecovery(const RedisOptions& options) : client_(options) {}

  Result<Remains> begin(const Coupon& coupon, const std::string& token) override {
    const auto reply = client_.call(begin_recovery_call(coupon, token), coupon.gate);
    if (!reply) return reply.error();
    if (auto status = read_status(coupon.id, **reply); !status) return status.error();
    if (size_of(**reply) != 5) return Error{Errc::unavailable, "redis began a recovery with an odd answer"};
    // "" for none is no number: 0.
    return Remains{integer_of(element(**reply, 1)).value_or(0), integer_of(element(**reply, 2)).value_or(0),
                   integer_of(element(**reply, 3)).value_or(0), integer_of(element(**reply, 4)).value_or(0)};
  }

  /// Page by page, so that the server serves others in between.
  Result<std::vector<Holder>> survivors(const std::string& coupon_id, std::int64_t after) override {
    const std::string key = CouponKeys(coupon_id).holders;
    std::vector<Holder> holders;
    std::string cursor = "0";
    do {
      const auto reply = client_.call(redis_command({"HSCAN", key, cursor, "COUNT", scan_count}));
      if (!reply) return reply.error();
      if (is_error(**reply)) return refusal(**reply);
      if (size_of(**reply) != 2) return Error{Errc::unavailable, "redis answered a scan with something else"};
      cursor = text_of(element(**reply, 0)).value_or("0");
      const redisReply& page = element(**reply, 1);
      for (std::size_t i = 0; i + 1 < size_of(page); i += 2) {
        auto holder =
            read_holder(text_of(element(page, i)).value_or(""), text_of(element(page, i + 1)).value_or(""));
        if (!holder) return Error{Errc::unavailable, "redis has a malformed holder of coupon " + coupon_id};
        if (holder->sequence > after) holders.push_back(std::move(*holder));
      }
    } while (cursor != "0");
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

  Result<void> open(const Coupon& coupon, const std::string& token, const RebuiltMarks& marks) override {
    const auto reply = client_.call(open_recovered_call(coupon, token, marks), coupon.gate);
    if (!reply) return reply.error();
    return read_status(coupon.id, **reply);
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
