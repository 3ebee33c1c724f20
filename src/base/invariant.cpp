#include "base/invariant.hpp"

#include <cstdlib>
#include <string>

#include <poll.h>
#include <unistd.h>

namespace seonchak {

namespace {

constexpr int reader_wait_ms = 1'000;

/// From src/ on: where it was compiled is nobody's business.
std::string_view in_the_project(std::string_view file) {
  constexpr std::string_view root = "/src/";
  const auto at = file.rfind(root);
  return at == std::string_view::npos ? file : file.substr(at + 1);
}

}  // namespace

// Past the logger, whose level may be off, or whose lock may be held by whoever comes here.
[[gnu::cold]] void broken_invariant(std::string_view what, std::source_location where) {
  std::string line = "seonchak: broken invariant at ";
  line.append(in_the_project(where.file_name())).append(":").append(std::to_string(where.line()));
  line.append(": ").append(what).append("\n");
  // Nor does it wait for a reader of standard error that is gone.
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, reader_wait_ms) > 0 && write(STDERR_FILENO, line.data(), line.size()) < 0) std::abort();
  std::abort();
}

}  // namespace seonchak
