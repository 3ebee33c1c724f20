#pragma once
#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <thread>

#include "base/stop_deadline.hpp"

namespace seonchak {

/// SIGINT, SIGTERM and SIGHUP, each of which asks the process to stop. They are blocked in every thread that
/// is started while this lives, and SIGPIPE is ignored, so make it before any other. A SIGHUP that was
/// ignored when the program was started (nohup) stays ignored.
///
/// A process that has not ended within stop_limit of the first of them is ended from here with exit code 0:
/// as after kill -9, the next one goes on where the store and the outbox are.
class StopSignals {
 public:
  /// A stop is over by then, whatever hangs. Those who wait for the process are promised ten seconds.
  static constexpr std::chrono::milliseconds stop_limit{9'500};

  /// Instead of it before ready(): then there is nothing to pass on.
  static constexpr std::chrono::milliseconds start_limit{2'000};

  /// A signal that comes before ready() sets the deadline of `stop` at once: nobody has been served yet.
  explicit StopSignals(std::shared_ptr<StopDeadline> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// From now on whoever waits stops in order.
  void ready() { ready_ = true; }

  /// Waits for one.
  void wait() const { asked_future_.wait(); }
  bool asked() const;

 private:
  void watch();

  const std::shared_ptr<StopDeadline> stop_;
  sigset_t signals_{};
  std::atomic<bool> ready_{false};
  std::promise<void> asked_;
  std::shared_future<void> asked_future_{asked_.get_future()};
  std::promise<void> ended_;
  std::thread thread_;
};

}  // namespace seonchak
