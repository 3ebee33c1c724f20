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
    // An unfinished recovery's epoch is no number: 0.
    return Remains{integer_of(element(**reply, 1)).value_or(0), integer_of(element(**reply, 2)).value_or(0),
                   integer_of(element(**reply, 3)).value_or(0), integer_of(element(**reply, 4)).value_or(0)};
  }

  Result<void> witness(const std::string& coupon_id, std::span<const Holder> holders) override {
    return in_parts(coupon_id, holders, [&](auto part) { return witness_call(coupon_id, part); });
  }

  Result<std::vector<Holder>> witnesses(const std::string& coupon_id) override {
    return scan(coupon_id, CouponKeys(coupon_id).witnesses, 0);
  }

  Result<std::vector<Holder>> survivors(const std::string& coupon_id, std::int64_t after) override {
    return scan(coupon_id, CouponKeys(coupon_id).holders, after);
  }

  Result<void> put_holders(const std::string& coupon_id, const std::string& token,
                           std::span<const Holder> holders) override {
    return in_parts(coupon_id, holders, [&](auto part) { return put_holders_call(coupon_id, token, part); });
  }

  Result<void> drop_holders(const std::string& coupon_id, const std::string& token,
                            std::span<const std::string> users) override {
    return in_parts(coupon_id, users, [&](auto part) { return drop_holders_call(coupon_id, token, part); });
  }

  Result<void> put_outbox(const std::string& coupon_id, const std::string& token,
                          std::span<const OutboxEntry> entries, bool first) override {
    return status_of(coupon_id, put_outbox_call(coupon_id, token, entries, first));
  }

  Result<bool> open(const Coupon& coupon, const std::string& token, std::int64_t sequence,
                    std::int64_t persisted, std::size_t witnesses_heard) override {
    const auto reply =
        client_.call(open_recovered_call(coupon, token, sequence, persisted, witnesses_heard), coupon.gate);
    if (!reply) return reply.error();
    if (auto status = read_status(coupon.id, **reply); !status) return status.error();
    return size_of(**reply) == 2 && integer_of(element(**reply, 1)) == 1;
  }

 private:
  Result<void> status_of(const std::string& coupon_id, const ScriptCall& call) {
    const auto reply = client_.call(call);
    if (!reply) return reply.error();
    return read_status(coupon_id, **reply);
  }

  template <class Item, class MakeCall>
  Result<void> in_parts(const std::string& coupon_id, std::span<const Item> items, MakeCall make_call) {
    while (!items.empty()) {
      const auto part = items.first(std::min(items.size(), recovery_holders_max));
      if (auto done = status_of(coupon_id, make_call(part)); !done) return done;
      items = items.subspan(part.size());
    }
    return {};
  }

  /// A hash like `holders`, page by page, so that the server serves others in between.
  Result<std::vector<Holder>> scan(const std::string& coupon_id, const std::string& key, std::int64_t after) {
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

  RedisClient client_;
};

}  // namespace

std::unique_ptr<GateRecovery> make_redis_gate_recovery(const RedisOptions& options) {
  return std::make_unique<RedisGateRecovery>(options);
}

}  // namespace seonchak
