#pragma once
#include <chrono>

#include "base/clock.hpp"

namespace seonchak {

/// Where the program takes time and waiting from. The machine's, unless a simulation has put another one in
/// its place: then a second costs nothing, and a seed says in which order things happen.
class Ticker {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Ticker() = default;

  /// Monotonic, and goes on while the process is stopped or the whole machine suspended, so what was decided
  /// before such a pause is as old afterwards as it is for everybody else. Another clock than
  /// std::chrono::steady_clock, which stands still in a suspended machine: never compare the two.
  virtual TimePoint now() = 0;

  /// The wall clock.
  virtual Time wall() = 0;

  /// Blocks the caller.
  virtual void sleep_for(std::chrono::milliseconds duration) = 0;
};

/// The one in use; safe from any thread.
Ticker& ticker();

/// Puts `other` in its place for the whole program, as long as this object lives.
class TickerInstead {
 public:
  explicit TickerInstead(Ticker& other);
  ~TickerInstead();
  TickerInstead(const TickerInstead&) = delete;
  TickerInstead& operator=(const TickerInstead&) = delete;

 private:
  Ticker* const before_;
};

}  // namespace seonchak
