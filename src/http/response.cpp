#include "http/response.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include <boost/beast/http/status.hpp>

namespace seonchak {

namespace {

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

std::string format_http_date(std::time_t second) {
  using namespace std::chrono;
  constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds time{seconds(second)};
  const auto day = floor<std::chrono::days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  std::array<char, 64> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", days[weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string_view HttpDate::now() {
  const std::time_t second = std::time(nullptr);
  if (second != second_) {
    text_ = format_http_date(second);
    second_ = second;
  }
  return text_;
}

void append_response(std::string& out, const Answer& answer, const Framing& framing, std::string_view date) {
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(answer.status));
  out += "HTTP/1.1 ";
  append_number(out, answer.status);
  out += ' ';
  out.append(reason.data(), reason.size());
  out += "\r\nServer: seonchak\r\nDate: ";
  out += date;
  out += "\r\nContent-Type: ";
  out += answer.content_type;
  out += "\r\nContent-Length: ";
  append_number(out, answer.body.size());
  out += "\r\n";
  out += answer.headers;
  if (!framing.keep_alive) {
    out += "Connection: close\r\n";
  } else if (framing.version < 11) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  if (!framing.head_only) out += answer.body;
}

}  // namespace seonchak
