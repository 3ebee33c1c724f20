#include "http/output.hpp"

#include <gtest/gtest.h>

namespace seonchak {
namespace {

constexpr Output::TimePoint until{std::chrono::hours(1)};
constexpr auto after = until + std::chrono::nanoseconds(1);

Output with_expiring() {
  Output output;
  output.bytes() += "before";
  output.begin_expiring(until);
  output.bytes() += "answer";
  return output;
}

TEST(Output, AnAnswerIsInTimeUntilItsLastMoment) {
  const Output output = with_expiring();
  EXPECT_FALSE(output.is_late(until));
  EXPECT_TRUE(output.is_late(after));
  EXPECT_FALSE(Output().is_late(after));
}

TEST(Output, ALateAnswerIsTakenBackAndWhatWasBeforeItStays) {
  for (std::size_t sent = 0; sent <= 6; ++sent) {
    Output output = with_expiring();
    output.sent(sent);
    EXPECT_TRUE(output.take_back()) << sent;
    EXPECT_EQ(output.bytes(), std::string("before").substr(sent));
    EXPECT_FALSE(output.expires());
  }
}

TEST(Output, HalfAnAnswerCannotBeTakenBack) {
  for (std::size_t sent = 7; sent < 12; ++sent) {
    Output output = with_expiring();
    output.sent(2);
    output.sent(sent - 2);
    EXPECT_FALSE(output.take_back()) << sent;
    EXPECT_EQ(output.bytes(), "");
  }
}

TEST(Output, WhatIsSentExpiresNoMore) {
  Output output = with_expiring();
  output.sent(12);
  EXPECT_TRUE(output.empty());
  EXPECT_FALSE(output.expires());
}

}  // namespace
}  // namespace seonchak
