#include <gtest/gtest.h>

#include "gate/redis/redis.hpp"
#include "gate/testing/redis.hpp"

namespace seonchak {
namespace {

using testing::PrivateRedis;

/// Why the server is refused, or nothing when it is accepted.
std::string refusal_of(const RedisOptions& options) {
  try {
    require_safe_redis(options);
    return {};
  } catch (const StartupError& error) {
    return error.what();
  }
}

/// What require_safe_redis logs.
std::string warnings_of(const RedisOptions& options) {
  ::testing::internal::CaptureStderr();
  const std::string refusal = refusal_of(options);
  std::string output = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(refusal, "");
  return output;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(RedisSafety, AServerThatSyncsEveryWriteIsAcceptedSilently) {
  const PrivateRedis redis;
  EXPECT_EQ(warnings_of(redis.options()), "");
}

TEST(RedisSafety, AServerThatSyncsEverySecondIsAcceptedWithAWarning) {
  const PrivateRedis every_second({"--appendfsync", "everysec"});
  EXPECT_TRUE(contains(warnings_of(every_second.options()), "up to 2 s"));
  const PrivateRedis never({"--appendfsync", "no"});
  EXPECT_TRUE(contains(warnings_of(never.options()), "30 s"));
}

TEST(RedisSafety, AServerThatMayEvictIsRefused) {
  const PrivateRedis redis({"--maxmemory-policy", "allkeys-lru"});
  const std::string refusal = refusal_of(redis.options());
  EXPECT_TRUE(contains(refusal, "allkeys-lru")) << refusal;
  EXPECT_TRUE(contains(refusal, "set maxmemory-policy noeviction")) << refusal;
}

TEST(RedisSafety, AServerWithoutAnAppendOnlyFileIsRefusedUnlessAllowed) {
  const PrivateRedis redis({"--appendonly", "no"});
  RedisOptions options = redis.options();
  EXPECT_TRUE(contains(refusal_of(options), "set appendonly yes"));
  options.allow_volatile = true;
  EXPECT_TRUE(contains(warnings_of(options), "no append-only file"));
}

TEST(RedisSafety, AServerThatStopsSyncingDuringRewritesIsRefused) {
  const PrivateRedis redis({"--no-appendfsync-on-rewrite", "yes"});
  EXPECT_TRUE(contains(refusal_of(redis.options()), "set no-appendfsync-on-rewrite no"));
}

TEST(RedisSafety, WithoutConfigTheAnswerComesFromInfo) {
  const PrivateRedis safe({"--rename-command", "CONFIG", ""});
  EXPECT_TRUE(contains(warnings_of(safe.options()), "does not tell how it syncs"));
  const PrivateRedis evicting({"--rename-command", "CONFIG", "", "--maxmemory-policy", "volatile-ttl"});
  EXPECT_TRUE(contains(refusal_of(evicting.options()), "volatile-ttl"));
  const PrivateRedis forgetful({"--rename-command", "CONFIG", "", "--appendonly", "no"});
  EXPECT_TRUE(contains(refusal_of(forgetful.options()), "set appendonly yes"));
}

TEST(RedisSafety, ANodeOfAClusterIsAcceptedWithAWarning) {
  const PrivateRedis redis({"--cluster-enabled", "yes"});
  EXPECT_TRUE(contains(warnings_of(redis.options()), "never open"));
}

TEST(RedisSafety, AServerThatIsNotThereIsRefusedWithItsAddress) {
  RedisOptions options;
  const std::string address = "127.0.0.1:" + std::to_string(testing::free_port());
  options.url = "redis://:hunter2@" + address;
  const std::string refusal = refusal_of(options);
  EXPECT_TRUE(contains(refusal, address)) << refusal;
  EXPECT_FALSE(contains(refusal, "hunter2")) << refusal;
}

TEST(RedisSafety, AUserWithoutInfoIsToldWhatToGrant) {
  const PrivateRedis redis({"--user", "limited", "on", ">pw", "~*", "+ping", "+eval", "+evalsha"});
  EXPECT_TRUE(contains(refusal_of(redis.options("limited:pw@")), "+info"));
}

}  // namespace
}  // namespace seonchak
