#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace seonchak::log {

namespace {

spdlog::logger& logger() {
  // Never destroyed: a library's thread may still log while the process exits.
  static const auto& instance = *new std::shared_ptr<spdlog::logger>([] {
    auto made = spdlog::stderr_logger_mt("seonchak");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::info);
    return made;
  }());
  return *instance;
}

void append_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\n\r\t\\") == std::string_view::npos;
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += (static_cast<unsigned char>(c) < 0x20) ? ' ' : c;
  }
  line += '"';
}

void write(spdlog::level::level_enum level, std::string_view message, Fields fields) {
  if (!logger().should_log(level)) return;
  std::string line(message);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  logger().log(level, spdlog::string_view_t(line));
}

}  // namespace

void info(std::string_view message, Fields fields) {
  write(spdlog::level::info, message, fields);
}
void warn(std::string_view message, Fields fields) {
  write(spdlog::level::warn, message, fields);
}
void error(std::string_view message, Fields fields) {
  write(spdlog::level::err, message, fields);
}
void debug(std::string_view message, Fields fields) {
  write(spdlog::level::debug, message, fields);
}

bool set_level(std::string_view level) {
  const auto parsed = spdlog::level::from_str(level == "error" ? "err" : std::string(level));
  if (parsed == spdlog::level::off && level != "off") return false;
  logger().set_level(parsed);
  return true;
}

}  // namespace seonchak::log
