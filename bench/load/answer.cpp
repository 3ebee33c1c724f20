#include "answer.hpp"

#include <charconv>

#include <strings.h>

namespace load {
namespace {

constexpr std::size_t head_bytes_max = 16 * 1024;
constexpr std::string_view length_name = "content-length:";
constexpr std::string_view coding_name = "transfer-encoding:";

constexpr Answer malformed{Answer::State::malformed, 0, 0};

bool starts_with_name(std::string_view line, std::string_view name) {
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the size is given
  return line.size() > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0;
}

// The number at the start of `text`, after spaces; false without one.
bool read_number(std::string_view text, int base, std::size_t& value) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return std::from_chars(text.data(), text.data() + text.size(), value, base).ec == std::errc{};
}

// Where the chunks that begin at `at` end.
Answer end_of_chunks(std::string_view received, std::size_t at, int status) {
  while (true) {
    const std::size_t line_end = received.find("\r\n", at);
    if (line_end == std::string_view::npos) return {};
    std::size_t size = 0;
    if (!read_number(received.substr(at, line_end - at), 16, size)) return malformed;
    at = line_end + 2 + size + 2;
    if (at > received.size()) return {};
    if (size == 0) return {Answer::State::complete, status, at};
  }
}

}  // namespace

Answer parse_answer(std::string_view received) {
  constexpr std::size_t status_at = 9;  // "HTTP/1.1 200"
  std::size_t line_end = received.find('\n');
  if (line_end == std::string_view::npos) return received.size() > head_bytes_max ? malformed : Answer{};
  std::size_t status = 0;
  if (line_end < status_at + 3 || !read_number(received.substr(status_at, 3), 10, status)) return malformed;

  std::size_t body = 0;
  bool chunked = false;
  while (true) {
    const std::size_t start = line_end + 1;
    line_end = received.find('\n', start);
    if (line_end == std::string_view::npos) return received.size() > head_bytes_max ? malformed : Answer{};
    const std::string_view line = received.substr(start, line_end - start);
    if (line.size() <= 1) break;
    if (starts_with_name(line, length_name)) {
      if (!read_number(line.substr(length_name.size()), 10, body)) return malformed;
    } else if (starts_with_name(line, coding_name)) {
      chunked = true;
    }
  }
  const std::size_t head = line_end + 1;
  const int code = static_cast<int>(status);
  if (chunked) return end_of_chunks(received, head, code);
  if (received.size() < head + body) return {};
  return {Answer::State::complete, code, head + body};
}

}  // namespace load
