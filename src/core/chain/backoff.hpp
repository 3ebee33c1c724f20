#pragma once
#include <algorithm>
#include <chrono>

#include "base/ticker.hpp"

namespace seonchak {

struct BackoffOptions {
  std::chrono::milliseconds min{50};
  std::chrono::milliseconds max{2'000};
  /// Whatever a try took: it may have been the process that was stopped.
  std::chrono::milliseconds max_after_slow{30'000};
};

/// When to try again what has failed: twice as late with each failure in a row. Used from one thread.
class Backoff {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// It has failed now, and `took` so long to do so. Failing again and again must not be most of what is
  /// done; failing once may be anybody's trouble, which is soon over.
  void fail(const BackoffOptions& options, std::chrono::milliseconds took = {}) {
    const auto pause = std::max(next_, options.min);
    retry_at_ = ticker().now() + std::max(pause, std::min(share_ * took, options.max_after_slow));
    next_ = std::min(pause * 2, options.max);
    share_ = std::min(share_ == 0 ? 2 : share_ * 2, share_max);
  }

  void succeed() { *this = {}; }

  TimePoint retry_at() const { return retry_at_; }

 private:
  static constexpr int share_max = 10;
  TimePoint retry_at_{};
  std::chrono::milliseconds next_{0};
  int share_ = 0;
};

}  // namespace seonchak
