#pragma once
#include <atomic>
#include <chrono>

namespace seonchak {

/// Until when a call to an outside part may last: without a limit of this kind until the process stops and
/// sets one. Adapters whose calls can outlast a stop look at it while they wait. Safe from any thread.
class StopDeadline {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// How often somebody who waits looks.
  static constexpr std::chrono::milliseconds look_period{50};

  /// An earlier one that was set before stays.
  void set(TimePoint deadline) {
    auto present = deadline_.load();
    while (deadline.time_since_epoch().count() < present &&
           !deadline_.compare_exchange_weak(present, deadline.time_since_epoch().count())) {
    }
  }

  TimePoint get() const { return TimePoint(TimePoint::duration(deadline_.load())); }
  bool passed() const { return std::chrono::steady_clock::now() >= get(); }

  /// More threads than this are not left to themselves at once. What keeps them (a resolver that does not
  /// answer) keeps the next one, too.
  static constexpr int loose_max = 64;

  /// Around a call that cannot be cut short, in a thread that may be left to itself. False when there are
  /// loose_max already: then it must not be made.
  bool begin_loose() {
    if (loose_.fetch_add(1) < loose_max) return true;
    --loose_;
    return false;
  }
  void end_loose() { --loose_; }

  /// Whether such a thread still runs: then the process must not tear down what libraries use at its end.
  bool any_loose() const { return loose_ > 0; }

 private:
  std::atomic<TimePoint::rep> deadline_{TimePoint::max().time_since_epoch().count()};
  std::atomic<int> loose_{0};
};

}  // namespace seonchak
