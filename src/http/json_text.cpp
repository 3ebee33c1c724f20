#include "http/json_text.hpp"

namespace seonchak {

namespace {

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr std::string_view hex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += hex[byte >> 4];
  out += hex[byte & 0xf];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    if (plain) {
      out += c;
    } else {
      append_escape(out, c);
    }
  }
  out += '"';
}

void append_json_time(std::string& out, const std::optional<Time>& time) {
  if (!time) {
    out += "null";
    return;
  }
  // The answers of a batch have one time.
  thread_local Time last;
  thread_local std::string text = format_rfc3339(last);
  if (*time != last) {
    last = *time;
    text = format_rfc3339(last);
  }
  out += '"';
  out += text;
  out += '"';
}

}  // namespace seonchak
