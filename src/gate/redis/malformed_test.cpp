#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include "gate/redis/scripts.hpp"
#include "gate/redis/stream.hpp"

namespace seonchak {
namespace {

constexpr std::string_view beyond = "9223372036854775807";  // a number, and no count of ours
constexpr std::string_view some_time = "1795316400123";

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string array(const std::vector<std::string>& items) {
  std::string text = "*" + std::to_string(items.size()) + "\r\n";
  for (const std::string& item : items) text += item;
  return text;
}

/// The reply that a server would have sent in these bytes.
Reply reply_of(const std::string& bytes) {
  const std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader(redisReaderCreate(),
                                                                        &redisReaderFree);
  redisReaderFeed(reader.get(), bytes.data(), bytes.size());
  void* parsed = nullptr;
  EXPECT_EQ(redisReaderGetReply(reader.get(), &parsed), REDIS_OK);
  EXPECT_NE(parsed, nullptr);
  return Reply(static_cast<redisReply*>(parsed));
}

/// What a read answers for an outbox with one entry.
OutboxRead read_of(std::string_view id, std::string_view epoch, std::string_view time,
                   std::string_view users) {
  const std::string fields = array({bulk("e"), bulk(epoch), bulk("t"), bulk(time), bulk("u"), bulk(users)});
  const std::string entry = array({bulk(id), fields});
  const auto reply = reply_of(array({array({bulk("{coupon:c}:outbox"), array({entry})})}));
  return read_outbox_entries(*reply).value();
}

TEST(RedisMalformed, AnEntryOfOursIsRead) {
  const OutboxRead read = read_of("2-0", "1", some_time, "kim,lee@x.y");
  ASSERT_EQ(read.entries.size(), 1U);
  EXPECT_EQ(read.entries[0], (OutboxEntry{"c", 1, 1, from_millis(1'795'316'400'123), {"kim", "lee@x.y"}}));
}

// An event is written with its ids as they are: a bad one would end the process that publishes it.
TEST(RedisMalformed, AnEntryThatIsNoneOfOursFailsItsCoupon) {
  const auto failed = [](const OutboxRead& read) {
    return read.entries.empty() && read.failed.size() == 1 && read.failed[0].coupon_id == "c" &&
           read.failed[0].error.code == Errc::gate_unusable;
  };
  const std::string long_user(user_id_bytes_max + 1, 'u');
  for (const std::string& users : {std::string("kim,"), std::string(",kim"), std::string("kim,,lee"),
                                   std::string("a\"b"), std::string("a b"), std::string(), long_user})
    EXPECT_TRUE(failed(read_of("9-0", "1", some_time, users))) << users;
  for (const std::string_view epoch : {"", "0", "-1", "r7", beyond.data()})
    EXPECT_TRUE(failed(read_of("9-0", epoch, some_time, "kim"))) << epoch;
  for (const std::string_view time : {"", "0", "-1", "soon", "253402300800000", beyond.data()})
    EXPECT_TRUE(failed(read_of("9-0", "1", time, "kim"))) << time;
  for (const std::string_view id : {"0-0", "18446744073709551615-0", "9223372036854775807-0", "x"})
    EXPECT_TRUE(failed(read_of(id, "1", some_time, "kim"))) << id;
}

/// An answer of state.lua with one of its elements replaced.
Result<GateState> state_with(std::size_t index, std::string_view value) {
  std::vector<std::string> texts = {"0", "5", "2", "2", "", "", "0", "1", "3", "1", "1"};
  texts.emplace_back(some_time);
  texts.emplace_back("2");
  texts[index] = value;
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(bulk(text));
  return read_state("c", *reply_of(array(items)));
}

TEST(RedisMalformed, AStateOfOursWithAnotherNumberThanAGateCountsIsLost) {
  EXPECT_TRUE(state_with(1, "5"));
  EXPECT_EQ(state_with(2, "9007199254740992")->sequence.value(), std::int64_t{1} << 53);
  EXPECT_EQ(state_with(4, some_time)->opens_at, from_millis(1'795'316'400'123));
  for (const std::size_t index : {1, 2, 3, 6, 7, 8, 9, 10, 11}) {
    for (const std::string_view value : {"-1", "", "x", "1.5", beyond.data()}) {
      const auto state = state_with(index, value);
      ASSERT_FALSE(state) << index << " " << value;
      const bool ours = index != 3 && index != 7 && index != 11;
      EXPECT_EQ(state.error().code, ours ? Errc::gate_behind : Errc::gate_unusable) << index << " " << value;
    }
  }
  for (const std::size_t index : {4, 5}) {
    for (const std::string_view value : {"-1", "x", "253402300800000", beyond.data()})
      EXPECT_FALSE(state_with(index, value)) << index << " " << value;
  }
  EXPECT_EQ(state_with(12, beyond)->counted, -1);
}

TEST(RedisMalformed, AHolderHasACountAndATime) {
  EXPECT_TRUE(read_holder("kim", "7:1795316400123"));
  for (const std::string_view value :
       {"", "7", "7:", ":7", "-7:1795316400123", "7:-1", "7:9223372036854775807",
        "9223372036854775807:1795316400123", "7:1795316400123:1"})
    EXPECT_FALSE(read_holder("kim", value)) << value;
}

TEST(RedisRefusal, WhatTheServerForbidsIsAnOutageAndNoContent) {
  const auto code = [](const std::string& text) { return refusal(*reply_of("-" + text + "\r\n")).code; };
  const std::string where = " script: 4243384b, on @user_script:57.";
  EXPECT_EQ(code("ERR The user executing the script can't run this command or subcommand" + where),
            Errc::unavailable);
  EXPECT_EQ(code("NOPERM ACL failure in script: User u has no permissions to run the 'hset' command" + where),
            Errc::unavailable);
  EXPECT_EQ(code("ERR Unknown Redis command called from script" + where), Errc::unavailable);
  EXPECT_EQ(code("ERR user_script:9: attempt to compare nil with number" + where), Errc::gate_unusable);
  EXPECT_EQ(code("WRONGTYPE Operation against a key holding the wrong kind of value" + where),
            Errc::gate_unusable);
}

}  // namespace
}  // namespace seonchak
