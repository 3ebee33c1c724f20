#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace seonchak {

inline constexpr std::chrono::milliseconds reconnect_wait_min_ms{50};
inline constexpr std::chrono::milliseconds reconnect_wait_max_ms{1'000};

/// How long to leave a server alone after failures in a row: doubling, with jitter so that many processes do
/// not come back at one moment. No I/O and no clock of its own.
class RedisBackoff {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RedisBackoff(std::uint32_t seed) : random_(seed) {}

  void succeeded() { failures_ = 0; }

  void failed(Clock::time_point now) {
    auto wait = reconnect_wait_min_ms;
    for (int i = 0; i < failures_ && wait < reconnect_wait_max_ms; ++i) wait *= 2;
    wait = std::min(wait, reconnect_wait_max_ms);
    ++failures_;
    next_ = now + std::chrono::milliseconds(
                      std::uniform_int_distribution<std::int64_t>(wait.count() / 2, wait.count())(random_));
  }

  int failures() const { return failures_; }
  bool may_try(Clock::time_point now) const { return failures_ == 0 || now >= next_; }

 private:
  std::minstd_rand random_;
  int failures_ = 0;
  Clock::time_point next_{};
};

}  // namespace seonchak
