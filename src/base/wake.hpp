#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>

#include "base/mutex.hpp"

namespace seonchak {

/// Wakes the one thread that sleeps on it. A call that comes before the sleep ends that sleep at once.
/// notify() is cheap, and safe from any thread.
class Wake {
 public:
  void notify() {
    if (called_.exchange(true)) return;
    // The sleeper looks at called_ under the lock, so it cannot miss this between its look and its wait.
    { const MutexLock lock(mutex_); }
    wake_.notify_one();
  }

  /// Sleeps until somebody calls, at most for `duration`.
  void wait_for(std::chrono::milliseconds duration) {
    const auto until = std::chrono::steady_clock::now() + duration;
    MutexLock lock(mutex_);
    while (!called_.load()) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left.count() <= 0 || !lock.wait_for(wake_, left)) break;
    }
    called_.store(false);
  }

 private:
  std::atomic<bool> called_{false};
  Mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace seonchak
