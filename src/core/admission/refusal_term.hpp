#pragma once
#include <atomic>
#include <chrono>

namespace seonchak {

/// For how long a refusal counts, and when the gate is to be asked again. Renewed by what the gate answers,
/// without a lock for those who only look. Safe from any thread.
class RefusalTerm {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  RefusalTerm(TimePoint asked_at, TimePoint ask_again_at, TimePoint valid_until)
      : asked_at_(asked_at), ask_again_at_(ask_again_at), valid_until_(valid_until) {}

  bool over(TimePoint time) const { return time >= valid_until_.load(std::memory_order_relaxed); }

  /// Whether the caller, and nobody else for the next `pause`, should ask the gate instead of refusing.
  bool take_turn(TimePoint time, std::chrono::milliseconds pause) const {
    TimePoint due = ask_again_at_.load(std::memory_order_relaxed);
    return time >= due && ask_again_at_.compare_exchange_strong(due, time + pause, std::memory_order_relaxed);
  }

  /// The gate, asked at `asked_at`, has refused for the same reason. An answer to an earlier question than
  /// the last one changes nothing.
  void renew(TimePoint asked_at, TimePoint ask_again_at, TimePoint valid_until) const {
    if (!is_later(asked_at)) return;
    ask_again_at_.store(ask_again_at, std::memory_order_relaxed);
    valid_until_.store(valid_until, std::memory_order_relaxed);
  }

  /// The gate, asked at `asked_at`, has answered otherwise.
  void end(TimePoint asked_at) const {
    if (is_later(asked_at)) valid_until_.store(TimePoint::min(), std::memory_order_relaxed);
  }

 private:
  bool is_later(TimePoint asked_at) const {
    TimePoint last = asked_at_.load(std::memory_order_relaxed);
    while (asked_at >= last) {
      if (asked_at_.compare_exchange_weak(last, asked_at, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  // Time passes for those who share a refusal that is otherwise constant.
  mutable std::atomic<TimePoint> asked_at_;
  mutable std::atomic<TimePoint> ask_again_at_;
  mutable std::atomic<TimePoint> valid_until_;
};

}  // namespace seonchak
