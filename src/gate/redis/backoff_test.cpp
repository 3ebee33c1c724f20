#include "gate/redis/backoff.hpp"

#include <gtest/gtest.h>

namespace seonchak {
namespace {

using std::chrono::milliseconds;

TEST(RedisBackoff, TheFirstAttemptIsFree) {
  EXPECT_TRUE(RedisBackoff(1).may_try(RedisBackoff::Clock::now()));
}

TEST(RedisBackoff, WaitsGrowToTheLimitAndASuccessEndsThem) {
  const auto start = RedisBackoff::Clock::now();
  for (std::uint32_t seed = 1; seed < 50; ++seed) {
    RedisBackoff backoff(seed);
    backoff.failed(start);
    EXPECT_FALSE(backoff.may_try(start + reconnect_wait_min_ms / 2 - milliseconds(1)));
    EXPECT_TRUE(backoff.may_try(start + reconnect_wait_min_ms));
    for (int i = 0; i < 100; ++i) backoff.failed(start);
    EXPECT_FALSE(backoff.may_try(start + reconnect_wait_max_ms / 2 - milliseconds(1)));
    EXPECT_TRUE(backoff.may_try(start + reconnect_wait_max_ms));
    backoff.succeeded();
    EXPECT_TRUE(backoff.may_try(start));
  }
}

}  // namespace
}  // namespace seonchak
