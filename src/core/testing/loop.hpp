#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <vector>

#include "base/loop.hpp"
#include "base/mutex.hpp"

namespace seonchak {

/// A loop run by hand: nothing happens but in run(), run_until() and fire_timers(), on the thread that calls
/// them.
class HandLoop final : public Loop {
 public:
  void post(std::function<void()> task) override {
    {
      const MutexLock lock(mutex_);
      posted_.push_back(std::move(task));
    }
    wake_.notify_all();
  }

  void after(std::chrono::milliseconds, std::function<void()> task) override {
    timers_.push_back(std::move(task));
  }

  /// Runs what is posted, and what that posts. Returns how many tasks that were.
  std::size_t run() {
    std::size_t count = 0;
    for (; auto task = take(std::chrono::milliseconds(0)); ++count) task();
    return count;
  }

  /// Runs what is posted until `done` says so; false when that takes longer than a minute.
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      if (auto task = take(std::chrono::milliseconds(100))) task();
    }
    return true;
  }

  /// Lets every timer set so far run out, whatever its delay. Returns how many those were.
  std::size_t fire_timers() {
    const auto due = std::exchange(timers_, {});
    for (const auto& task : due) task();
    return due.size();
  }

 private:
  std::function<void()> take(std::chrono::milliseconds wait) {
    MutexLock lock(mutex_);
    if (!lock.wait_for(wake_, wait, [this]() REQUIRES(mutex_) { return !posted_.empty(); })) return nullptr;
    auto task = std::move(posted_.front());
    posted_.pop_front();
    return task;
  }

  Mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> posted_ GUARDED_BY(mutex_);
  std::vector<std::function<void()>> timers_;  // the loop's thread only
};

}  // namespace seonchak
