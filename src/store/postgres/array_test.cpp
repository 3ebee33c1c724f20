#include "store/postgres/array.hpp"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace seonchak::postgres_format {
namespace {

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

// What `select encode(array_send(...), 'hex')` prints in PostgreSQL 15.
TEST(PostgresArray, BigintsAreTheBytesOfArraySend) {
  const std::vector<std::int64_t> values = {1, -2};
  EXPECT_EQ(hex(encode_array(values)),
            "00000001000000000000001400000002000000010000000800000000000000010000000"
            "8fffffffffffffffe");
}

TEST(PostgresArray, IntegersAreTheBytesOfArraySend) {
  const std::vector<std::int32_t> values = {7};
  EXPECT_EQ(hex(encode_array(values)),
            "0000000100000000000000170000000100000001"
            "0000000400000007");
}

TEST(PostgresArray, TextsAreTheBytesOfArraySend) {
  const std::vector<std::string_view> values = {"ab", ""};
  EXPECT_EQ(hex(encode_array(values)),
            "0000000100000000000000190000000200000001"
            "000000026162"
            "00000000");
}

TEST(PostgresArray, TimesAreMicrosecondsSince2000) {
  const std::vector<Time> values = {*parse_rfc3339("2000-01-01T00:00:00.001Z"), from_millis(0)};
  EXPECT_EQ(hex(encode_array(values)),
            "0000000100000000000004a00000000200000001"
            "0000000800000000000003e8"
            "00000008fffca2fec4c82000");
}

TEST(PostgresArray, AnEmptyArrayHasNoDimension) {
  EXPECT_EQ(hex(encode_array(std::span<const std::int64_t>{})), "000000000000000000000014");
}

TEST(PostgresArray, NumbersSurviveARoundTrip) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_EQ(decode_bigint(encode(value)), value);
  }
  EXPECT_EQ(decode_integer(encode(std::int32_t{-123456})), -123456);
}

TEST(PostgresArray, TimesSurviveARoundTripAndAreCutToMilliseconds) {
  const Time time = *parse_rfc3339("2026-11-22T03:00:00.123Z");
  EXPECT_EQ(from_timestamptz(to_timestamptz(time)), time);
  EXPECT_EQ(from_timestamptz(to_timestamptz(time) + 999), time);
  EXPECT_EQ(from_timestamptz(-1), *parse_rfc3339("1999-12-31T23:59:59.999Z"));
}

TEST(PostgresArray, ATimeOutOfRangeIsNeverInfinityAndNeverOverflows) {
  using limits = std::numeric_limits<std::int64_t>;
  EXPECT_EQ(to_timestamptz(from_millis(limits::max())), limits::max() - 1);
  EXPECT_EQ(to_timestamptz(from_millis(limits::min())), limits::min() + 1);
}

}  // namespace
}  // namespace seonchak::postgres_format
