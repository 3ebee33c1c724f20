#include "base/log.hpp"

#include <memory>
#include <mutex>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/line_writer.hpp"

namespace seonchak::log {

namespace {

/// Never waits for whoever reads: LineWriter drops what it does not take.
class StandardError final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::uint64_t dropped() const { return writer_.dropped(); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (writer_.owes_report() && writer_.ready()) {
      const std::string text =
          "log lines were dropped: their reader was too slow count=" + std::to_string(writer_.unreported());
      spdlog::details::log_msg report(message.logger_name, spdlog::level::warn, text);
      if (writer_.write(formatted(report))) writer_.reported();
    }
    writer_.write(formatted(message));
  }
  void flush_() override {}

  std::string formatted(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return {line.data(), line.size()};
  }

  LineWriter writer_{STDERR_FILENO};
};

struct Logger {
  std::shared_ptr<StandardError> sink = std::make_shared<StandardError>();
  spdlog::logger lines{"seonchak", sink};

  Logger() { lines.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc); }
};

Logger& made_logger() {
  // Never destroyed: a library's thread may still log while the process exits.
  static Logger& instance = *new Logger();
  return instance;
}

spdlog::logger& logger() {
  return made_logger().lines;
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

std::uint64_t dropped() {
  return made_logger().sink->dropped();
}

bool set_level(std::string_view level) {
  const auto parsed = spdlog::level::from_str(level == "error" ? "err" : std::string(level));
  if (parsed == spdlog::level::off && level != "off") return false;
  logger().set_level(parsed);
  return true;
}

}  // namespace seonchak::log
