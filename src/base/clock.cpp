#include "base/clock.hpp"

#include <cstddef>

#include "base/ticker.hpp"

namespace seonchak {

namespace {

constexpr std::chrono::sys_days earliest_day{std::chrono::year(1970) / 1 / 1};
constexpr std::chrono::sys_days day_after_the_last{std::chrono::year(10'000) / 1 / 1};

/// Consumes exactly `digits` decimal digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int> take_millis(std::string_view& text) {
  if (!take_char(text, '.')) return 0;
  int millis = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (digits < 3) millis = millis * 10 + (text[digits] - '0');
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  for (std::size_t i = digits; i < 3; ++i) millis *= 10;
  text.remove_prefix(digits);
  return millis;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_char(text, 'Z') || take_char(text, 'z')) return std::chrono::minutes(0);
  const bool east = take_char(text, '+');
  if (!east && !take_char(text, '-')) return std::nullopt;
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take_char(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return east ? offset : -offset;
}

/// The lowest `digits` decimal digits of `value`.
void put_number(std::string& text, std::size_t at, std::size_t digits, int value) {
  for (std::size_t i = digits; i > 0; --i, value /= 10)
    text[at + i - 1] = static_cast<char>('0' + value % 10);
}

}  // namespace

Time now() {
  return ticker().wall();
}

std::optional<Time> time_from_millis(std::int64_t millis) {
  const Time time = from_millis(millis);
  if (time < earliest_day || time >= day_after_the_last) return std::nullopt;
  return time;
}

// Written out: every answer to a winner and every event has a time, and snprintf took a quarter of the
// answer.
std::string format_rfc3339(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text = "0000-00-00T00:00:00.000Z";
  put_number(text, 0, 4, static_cast<int>(date.year()));
  put_number(text, 5, 2, static_cast<int>(static_cast<unsigned>(date.month())));
  put_number(text, 8, 2, static_cast<int>(static_cast<unsigned>(date.day())));
  put_number(text, 11, 2, static_cast<int>(clock.hours().count()));
  put_number(text, 14, 2, static_cast<int>(clock.minutes().count()));
  put_number(text, 17, 2, static_cast<int>(clock.seconds().count()));
  put_number(text, 20, 3, static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<Time> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto year_value = take_number(text, 4);
  if (!year_value || !take_char(text, '-')) return std::nullopt;
  const auto month_value = take_number(text, 2);
  if (!month_value || !take_char(text, '-')) return std::nullopt;
  const auto day_value = take_number(text, 2);
  if (!day_value || (!take_char(text, 'T') && !take_char(text, 't'))) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59 || !take_char(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *second > 59) return std::nullopt;
  const auto millis = take_millis(text);
  if (!millis) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;

  const year_month_day date{year(*year_value), month(static_cast<unsigned>(*month_value)),
                            day(static_cast<unsigned>(*day_value))};
  if (!date.ok()) return std::nullopt;
  const Time time =
      sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) + milliseconds(*millis) - *offset;
  // An offset can lead out of the years that format_rfc3339 writes.
  if (time < earliest_day || time >= day_after_the_last) return std::nullopt;
  return time;
}

}  // namespace seonchak
