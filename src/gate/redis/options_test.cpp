#include "gate/redis/options.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace seonchak {
namespace {

/// What the error says, or nothing when the URL is fine.
std::string error_of(std::string_view url) {
  try {
    parse_redis_url(url);
    return {};
  } catch (const StartupError& error) {
    return error.what();
  }
}

TEST(RedisUrl, AHostIsEnough) {
  const RedisAddress address = parse_redis_url("redis://cache.example");
  EXPECT_FALSE(address.tls);
  EXPECT_EQ(address.server.host, "cache.example");
  EXPECT_EQ(address.server.port, 6379);
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "");
  EXPECT_EQ(address.database, 0);
  EXPECT_EQ(address.label(), "cache.example:6379");
}

TEST(RedisUrl, EveryPartIsRead) {
  const RedisAddress address = parse_redis_url("rediss://us%40er:p%3Aa%2Fss@10.0.0.1:7000/12");
  EXPECT_TRUE(address.tls);
  EXPECT_EQ(address.server.host, "10.0.0.1");
  EXPECT_EQ(address.server.port, 7000);
  EXPECT_EQ(address.user, "us@er");
  EXPECT_EQ(address.password, "p:a/ss");
  EXPECT_EQ(address.database, 12);
}

TEST(RedisUrl, APasswordMayComeWithoutAUser) {
  const RedisAddress address = parse_redis_url("redis://:secret@localhost/");
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "secret");
  EXPECT_EQ(address.database, 0);
}

TEST(RedisUrl, AnIpv6AddressStandsInBrackets) {
  const RedisAddress address = parse_redis_url("redis://[::1]:7000");
  EXPECT_EQ(address.server.host, "::1");
  EXPECT_EQ(address.server.port, 7000);
  EXPECT_EQ(address.label(), "[::1]:7000");
}

TEST(RedisUrl, SentinelsAreAList) {
  const RedisAddress address =
      parse_redis_url("redis+sentinel://user:p%40ss@one.example,two.example:7000,[::1]:7001/campaign/3");
  EXPECT_EQ(address.sentinels,
            (std::vector<RedisEndpoint>{{"one.example", 26379}, {"two.example", 7000}, {"::1", 7001}}));
  EXPECT_EQ(address.master, "campaign");
  EXPECT_EQ(address.database, 3);
  EXPECT_EQ(address.user, "user");
  EXPECT_EQ(address.password, "p@ss");
  EXPECT_EQ(address.server.host, "");
  EXPECT_EQ(address.label(), "master campaign by Sentinel one.example:26379 two.example:7000 [::1]:7001");
  EXPECT_EQ(parse_redis_url("redis+sentinel://h/m").sentinels.size(), 1U);
}

TEST(RedisUrl, SentinelsNeedAMaster) {
  EXPECT_NE(error_of("redis+sentinel://h1,h2").find("master"), std::string::npos);
  EXPECT_NE(error_of("redis+sentinel://h1,h2/").find("master"), std::string::npos);
  EXPECT_NE(error_of("redis+sentinel:///m").find("Sentinel"), std::string::npos);
  EXPECT_NE(error_of("redis+sentinel://h1:0/m").find("port"), std::string::npos);
  EXPECT_NE(error_of("redis+sentinel://h1/m/x").find("database"), std::string::npos);
}

TEST(RedisUrl, AnErrorNamesWhatIsWrong) {
  EXPECT_NE(error_of("nonsense"), "");
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of("http://host").find("redis://"), std::string::npos);
  EXPECT_NE(error_of("redis://").find("host"), std::string::npos);
  EXPECT_NE(error_of("redis:///1").find("host"), std::string::npos);
  EXPECT_NE(error_of("redis:host").find("host"), std::string::npos);
  EXPECT_NE(error_of("redis://host:0").find("port"), std::string::npos);
  EXPECT_NE(error_of("redis://host:65536").find("port"), std::string::npos);
  EXPECT_NE(error_of("redis://host/name").find("database"), std::string::npos);
  EXPECT_NE(error_of("redis://host/-1").find("database"), std::string::npos);
  EXPECT_NE(error_of("redis://host/1/2").find("database"), std::string::npos);
  EXPECT_NE(error_of("redis://user@host").find("password"), std::string::npos);
  EXPECT_NE(error_of("redis://host/0?x=1").find("query"), std::string::npos);
}

TEST(RedisUrl, AnErrorKeepsThePasswordToItself) {
  EXPECT_EQ(error_of("redis://user:hunter2@host:0").find("hunter2"), std::string::npos);
  EXPECT_EQ(error_of("redis//user:hunter2@host").find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace seonchak
