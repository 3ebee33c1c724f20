#pragma once
#include <cstdio>

namespace seonchak {

/// While it lives, what a library prints with C's `stderr` (libpq: each notice of the database, from the
/// first moment of a connection) becomes a log line, so that nobody waits for whoever reads it; at most one
/// in LogLimit::interval of each kind. Not for what a program prints before it aborts.
class StrayOutput {
 public:
  StrayOutput();
  ~StrayOutput();
  StrayOutput(const StrayOutput&) = delete;
  StrayOutput& operator=(const StrayOutput&) = delete;

 private:
  std::FILE* const before_;
};

}  // namespace seonchak
