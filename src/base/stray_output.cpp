#include "base/stray_output.hpp"

#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/log_limit.hpp"

namespace seonchak {

namespace {

constexpr std::size_t line_bytes_max = 1'000;

/// Used under the lock of its stream.
class Lines {
 public:
  void take(std::string_view bytes) {
    for (const char byte : bytes) {
      if (byte != '\n') {
        if (line_.size() < line_bytes_max) line_ += byte;
        continue;
      }
      tell();
      line_.clear();
    }
  }

 private:
  void tell() {
    if (line_.empty()) return;
    if (const auto left_out = limit_.line(kind_of_reason(line_)))
      log::warn("printed by a library", {{"text", line_}, {"left_out_before", *left_out}});
  }

  std::string line_;
  LogLimit limit_;
};

ssize_t write(void* lines, const char* bytes, std::size_t count) {
  static_cast<Lines*>(lines)->take({bytes, count});
  return static_cast<ssize_t>(count);
}

/// Never closed: a library's thread may still print while the program ends. Null without memory for it.
std::FILE* stream_to_log() {
  static Lines& lines = *new Lines();
  static std::FILE* const stream = [] {
    const cookie_io_functions_t functions = {
        .read = nullptr, .write = write, .seek = nullptr, .close = nullptr};
    std::FILE* const made = fopencookie(&lines, "w", functions);
    if (made != nullptr) setvbuf(made, nullptr, _IOLBF, BUFSIZ);
    return made;
  }();
  return stream;
}

}  // namespace

StrayOutput::StrayOutput() : before_(stderr) {
  if (std::FILE* const stream = stream_to_log()) stderr = stream;
}

StrayOutput::~StrayOutput() {
  stderr = before_;
}

}  // namespace seonchak
