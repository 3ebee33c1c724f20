#include "base/log_limit.hpp"

#include <gtest/gtest.h>

#include "base/ticker.hpp"

namespace seonchak {
namespace {

struct HandTicker final : Ticker {
  TimePoint now() override { return time; }
  Time wall() override { return {}; }
  void sleep_for(std::chrono::milliseconds duration) override { time += duration; }
  TimePoint time{std::chrono::hours(1)};
};

TEST(LogLimit, WritesTheFirstLineOfAKindAndCountsTheRest) {
  HandTicker time;
  const TickerInstead instead(time);
  LogLimit limit;
  EXPECT_EQ(limit.line("a"), 0U);
  EXPECT_FALSE(limit.line("a"));
  EXPECT_FALSE(limit.line("a"));
  EXPECT_EQ(limit.line("b"), 0U);
  EXPECT_TRUE(limit.left_out().empty());
  time.time += LogLimit::interval;
  EXPECT_EQ(limit.line("a"), 2U);
  EXPECT_FALSE(limit.line("a"));
  time.time += LogLimit::interval;
  const auto left_out = limit.left_out();
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out.front().first, "a");
  EXPECT_EQ(left_out.front().second, 1U);
  EXPECT_TRUE(limit.left_out().empty());
}

TEST(LogLimit, KnowsABoundedNumberOfKinds) {
  HandTicker time;
  const TickerInstead instead(time);
  LogLimit limit;
  std::size_t written = 0;
  for (std::size_t i = 0; i < 3 * LogLimit::keys_max; ++i) written += limit.line(std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(written, LogLimit::keys_max + 1);
}

TEST(LogLimit, AKindIsWhatAReasonSaysWithoutItsNumbersAndDetails) {
  EXPECT_EQ(kind_of_reason("not JSON: incomplete"), "not JSON");
  EXPECT_EQ(kind_of_reason("the value has 70000 bytes, more than 65536"),
            "the value has # bytes, more than #");
}

}  // namespace
}  // namespace seonchak
