#include "base/invariant.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace seonchak {

namespace {

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
  std::fputs(line.c_str(), stderr);
  std::abort();
}

}  // namespace seonchak
