#pragma once
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>

namespace seonchak {

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view problem_type = "application/problem+json";
inline constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

/// What a handler answers.
struct Answer {
  unsigned status = 200;
  std::string_view content_type = json_type;  ///< a constant
  std::string body;
  std::string headers{};  ///< further header lines, each ended by CRLF

  /// By ticker().now(): not handed to the socket after this. See late_answer().
  std::chrono::steady_clock::time_point valid_until = std::chrono::steady_clock::time_point::max();
};

/// How an answer travels on its connection.
struct Framing {
  unsigned version = 11;   ///< of the request: 10 or 11
  bool keep_alive = true;  ///< false: the server closes after this answer
  bool head_only = false;  ///< the request was a HEAD
};

/// The Date header's value, written anew once a second. One per thread.
class HttpDate {
 public:
  std::string_view now();

 private:
  std::time_t second_ = -1;
  std::string text_;
};

/// "Sun, 22 Nov 2026 03:00:00 GMT" (RFC 9110, section 5.6.7).
std::string format_http_date(std::time_t second);

/// Appends the whole response to `out`.
void append_response(std::string& out, const Answer& answer, const Framing& framing, std::string_view date);

}  // namespace seonchak
