#pragma once
#include <chrono>

#include "base/ticker.hpp"

namespace seonchak {

/// Time that goes on when told, or when somebody sleeps, as long as this object lives.
class HandTime final : public Ticker {
 public:
  TimePoint now() override { return TimePoint(passed + std::chrono::hours(1)); }
  Time wall() override { return from_millis(1'700'000'000'000) + passed + wall_ahead; }
  void sleep_for(std::chrono::milliseconds duration) override { passed += duration; }

  std::chrono::milliseconds passed{0};
  std::chrono::milliseconds wall_ahead{0};  ///< the wall clock alone, which the memory gate goes by

 private:
  TickerInstead instead_{*this};
};

}  // namespace seonchak
