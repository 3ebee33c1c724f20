#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace seonchak {

/// PostgreSQL's binary formats, big-endian, as its *_send and *_recv functions read and write them.
/// An array is: dimensions (1), has-null flag (0), element type oid, length, lower bound (1), then each
/// element as its length in bytes and its bytes. An empty array has no dimension and no elements.
namespace postgres_format {

inline constexpr unsigned bigint_oid = 20;
inline constexpr unsigned integer_oid = 23;
inline constexpr unsigned text_oid = 25;
inline constexpr unsigned integer_array_oid = 1007;
inline constexpr unsigned text_array_oid = 1009;
inline constexpr unsigned bigint_array_oid = 1016;
inline constexpr unsigned timestamptz_oid = 1184;
inline constexpr unsigned timestamptz_array_oid = 1185;

std::string encode(std::int32_t value);
std::string encode(std::int64_t value);
std::string encode_array(std::span<const std::string_view> values);
std::string encode_array(std::span<const std::int32_t> values);
std::string encode_array(std::span<const std::int64_t> values);
std::string encode_array(std::span<const Time> values);

std::int32_t decode_integer(std::string_view bytes);
std::int64_t decode_bigint(std::string_view bytes);

/// What a timestamptz of 'infinity' and '-infinity' is sent as.
inline constexpr std::int64_t infinity = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t minus_infinity = std::numeric_limits<std::int64_t>::min();

/// timestamptz: microseconds since 2000-01-01T00:00:00Z. A time that the type cannot hold becomes one that
/// the server refuses (22008). Reading cuts to milliseconds.
std::int64_t to_timestamptz(Time time);
Time from_timestamptz(std::int64_t micros);

}  // namespace postgres_format

}  // namespace seonchak
