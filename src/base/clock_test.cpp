#include "base/clock.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

TEST(Clock, FormatsMillisecondsInUtc) {
  EXPECT_EQ(format_rfc3339(from_millis(1795316400123)), "2026-11-22T03:00:00.123Z");
  EXPECT_EQ(format_rfc3339(from_millis(0)), "1970-01-01T00:00:00.000Z");
}

TEST(Clock, ReadsWhatItWrites) {
  for (const std::int64_t millis : {0LL, 1LL, 951782400000LL, 1795316400123LL, 253402300799999LL}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(from_millis(millis))), from_millis(millis));
  }
}

TEST(Clock, TakesNoNumberThatItCouldNotWrite) {
  EXPECT_EQ(time_from_millis(0), from_millis(0));
  EXPECT_EQ(time_from_millis(253402300799999), from_millis(253402300799999));
  for (const std::int64_t millis :
       {std::int64_t{-1}, std::int64_t{253402300800000}, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_FALSE(time_from_millis(millis)) << millis;
  }
}

TEST(Clock, ReadsOffsetsAndFractions) {
  EXPECT_EQ(parse_rfc3339("2026-11-22T12:00:00+09:00"), parse_rfc3339("2026-11-22T03:00:00Z"));
  EXPECT_EQ(parse_rfc3339("2026-11-22T03:00:00.5Z"), parse_rfc3339("2026-11-22T03:00:00.500Z"));
  EXPECT_EQ(parse_rfc3339("2026-11-22T03:00:00.123999999Z"), from_millis(1795316400123));
}

TEST(Clock, YearsAreThoseOfUtc) {
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59-00:01"), from_millis(59'000));
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("9999-12-31T23:59:59.999Z")), "9999-12-31T23:59:59.999Z");
}

TEST(Clock, RefusesWhatIsNotRfc3339) {
  for (const char* text :
       {"", "now", "2026-11-22", "2026-11-22T03:00:00", "2026-11-22 03:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z", "2026-11-22T23:60:00Z", "2026-11-22T23:59:60Z", "1969-12-31T23:59:59Z",
        "2026-11-22T03:00:00.Z", "2026-11-22T03:00:00.1234567890Z", "2026-11-22T03:00:00+9:00",
        "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-11-22T03:00:00Zx", "20261122T030000Z",
        "+026-11-22T03:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace seonchak
