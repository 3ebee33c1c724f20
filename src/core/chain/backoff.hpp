#pragma once
#include <algorithm>
#include <chrono>

#include "base/ticker.hpp"

namespace seonchak {

struct BackoffOptions {
  std::chrono::milliseconds min{50};
  std::chrono::milliseconds max{2'000};
};

/// When to try again what has failed: twice as late with each failure in a row. Used from one thread.
class Backoff {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// It has failed now; `took` so long to do so that trying it must not be most of what is done.
  void fail(const BackoffOptions& options, std::chrono::milliseconds took = {}) {
    const auto pause = std::max(next_, options.min);
    retry_at_ = ticker().now() + std::max(pause, share * took);
    next_ = std::min(pause * 2, options.max);
  }

  void succeed() { *this = {}; }

  TimePoint retry_at() const { return retry_at_; }

 private:
  static constexpr int share = 10;
  TimePoint retry_at_{};
  std::chrono::milliseconds next_{0};
};

}  // namespace seonchak
