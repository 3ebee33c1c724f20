#include "store/postgres/array.hpp"

#include <array>
#include <type_traits>

namespace seonchak::postgres_format {

namespace {

/// 2000-01-01T00:00:00Z
constexpr std::int64_t postgres_epoch_ms = 946'684'800'000;
constexpr std::int64_t micros_per_milli = 1'000;

constexpr std::size_t array_header_bytes = 20;
constexpr std::size_t length_bytes = 4;

template <class T>
void append(std::string& out, T value) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(value);
  std::array<char, sizeof(T)> bytes{};
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>((bits >> ((sizeof(T) - 1 - i) * 8)) & 0xff);
  }
  out.append(bytes.data(), bytes.size());
}

template <class T>
T take(std::string_view bytes) {
  std::make_unsigned_t<T> bits = 0;
  for (const char byte : bytes.substr(0, sizeof(T))) bits = (bits << 8) | static_cast<unsigned char>(byte);
  return static_cast<T>(bits);
}

std::string array_header(unsigned element_oid, std::size_t elements, std::size_t element_bytes) {
  std::string out;
  out.reserve(array_header_bytes + elements * (length_bytes + element_bytes));
  append<std::int32_t>(out, elements == 0 ? 0 : 1);
  append<std::int32_t>(out, 0);
  append<std::uint32_t>(out, element_oid);
  if (elements == 0) return out;
  append<std::int32_t>(out, static_cast<std::int32_t>(elements));
  append<std::int32_t>(out, 1);
  return out;
}

template <class T>
std::string encode_numbers(std::span<const T> values, unsigned element_oid) {
  std::string out = array_header(element_oid, values.size(), sizeof(T));
  for (const T value : values) {
    append<std::int32_t>(out, sizeof(T));
    append(out, value);
  }
  return out;
}

}  // namespace

std::string encode(std::int32_t value) {
  std::string out;
  append(out, value);
  return out;
}

std::string encode(std::int64_t value) {
  std::string out;
  append(out, value);
  return out;
}

std::string encode_array(std::span<const std::string_view> values) {
  std::size_t bytes = 0;
  for (const auto value : values) bytes += value.size();
  std::string out = array_header(text_oid, values.size(), values.empty() ? 0 : bytes / values.size() + 1);
  for (const auto value : values) {
    append<std::int32_t>(out, static_cast<std::int32_t>(value.size()));
    out += value;
  }
  return out;
}

std::string encode_array(std::span<const std::int32_t> values) {
  return encode_numbers(values, integer_oid);
}

std::string encode_array(std::span<const std::int64_t> values) {
  return encode_numbers(values, bigint_oid);
}

std::string encode_array(std::span<const Time> values) {
  std::string out = array_header(timestamptz_oid, values.size(), sizeof(std::int64_t));
  for (const Time value : values) {
    append<std::int32_t>(out, sizeof(std::int64_t));
    append(out, to_timestamptz(value));
  }
  return out;
}

std::int32_t decode_integer(std::string_view bytes) {
  return take<std::int32_t>(bytes);
}

std::int64_t decode_bigint(std::string_view bytes) {
  return take<std::int64_t>(bytes);
}

std::int64_t to_timestamptz(Time time) {
  const std::int64_t millis = to_millis(time);
  // The neighbours of the infinities are out of PostgreSQL's range.
  if (millis > infinity / micros_per_milli) return infinity - 1;
  if (millis < minus_infinity / micros_per_milli + postgres_epoch_ms) return minus_infinity + 1;
  return (millis - postgres_epoch_ms) * micros_per_milli;
}

Time from_timestamptz(std::int64_t micros) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(std::chrono::microseconds(micros));
  return Time(since) + std::chrono::milliseconds(postgres_epoch_ms);
}

}  // namespace seonchak::postgres_format
