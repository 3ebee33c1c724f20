#include <gtest/gtest.h>

#include "gate/redis/client.hpp"
#include "gate/redis/scripts.hpp"
#include "gate/testing/gate_twin.hpp"

namespace seonchak {
namespace {

using testing::batch_of;
using testing::make_config;
using testing::make_twin;
using testing::shared_redis;

std::string text_after(RedisClient& redis, const std::vector<std::string>& words) {
  const auto reply = redis.call(redis_command(words));
  return reply ? std::string(text_of(**reply).value_or("")) : reply.error().message;
}

// Redis keeps what a script wrote before it failed. An append that fails must be the first write, or a user
// would hold a coupon of which no event speaks.
TEST(RedisClaim, WhenTheAppendFailsNobodyHoldsAnything) {
  const auto twin = make_twin("redis");
  const GateConfig coupon = make_config(10);
  ASSERT_TRUE(twin->control().install(coupon));
  RedisClient redis(shared_redis());
  const CouponKeys keys(coupon.id);
  ASSERT_EQ(text_after(redis, {"XADD", keys.outbox, "99-0", "e", "1"}), "99-0");

  EXPECT_FALSE(twin->claim(batch_of(coupon, {"a", "b"})));
  EXPECT_EQ(twin->control().state(coupon.id)->issued, 0);
  EXPECT_EQ(text_after(redis, {"HGET", keys.state, "sequence"}), "0");

  ASSERT_TRUE(redis.call(redis_command({"DEL", keys.outbox})));
  const auto reply = twin->claim(batch_of(coupon, {"a", "b"}));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->claims[0].sequence, 1);
}

}  // namespace
}  // namespace seonchak
