#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include <boost/context/fiber.hpp>

#include "base/ticker.hpp"

namespace seonchak::sim {

using Micros = std::chrono::microseconds;

/// Unwinds a fiber whose process has died. Whatever catches it must let it go on.
struct Crash {};

/// Draws from one seed; the same seed draws the same.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0x1234567) {}

  std::uint64_t next();
  /// 0 to below - 1.
  std::uint64_t below(std::uint64_t below) { return next() % below; }
  /// True in `per_mille` of 1,000 cases.
  bool chance(unsigned per_mille) { return below(1'000) < per_mille; }
  Micros between(Micros least, Micros most) {
    return least +
           Micros(static_cast<Micros::rep>(below(static_cast<std::uint64_t>((most - least).count()) + 1)));
  }

 private:
  std::uint64_t state_;
};

struct Fiber;

/// Fibers with one fate: they die together. Destroyed only when `running` is 0.
struct Process {
  std::string name;
  bool dying = false;
  int running = 0;  ///< fibers that have not ended
  std::vector<Fiber*> fibers;
};

/// Runs fibers and callbacks one at a time on one thread, in virtual time: whoever waits is passed over until
/// its time has come, and of those whose time has come a random one goes first. A std::mutex that another
/// fiber holds is waited for like anything else (pthread_mutex_lock is replaced, see scheduler.cpp).
class Scheduler final : public Ticker {
 public:
  explicit Scheduler(std::uint64_t seed);
  ~Scheduler() override;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  TimePoint now() override { return now_; }
  Time wall() override {
    return from_millis(1'795'316'400'000) + std::chrono::floor<std::chrono::milliseconds>(now_ - TimePoint{});
  }
  void sleep_for(std::chrono::milliseconds duration) override { pause(duration); }

  Random& random() { return random_; }

  /// Starts a fiber of `process`.
  void start(Process& process, std::function<void()> body);

  /// Calls back once `delay` has passed, whatever has died meanwhile.
  void after(Micros delay, std::function<void()> callback);

  /// From a fiber: lets others run for `delay`. Throws Crash when its process has died meanwhile.
  void pause(Micros delay);

  /// From a fiber: waits until somebody wakes it.
  void wait_to_be_woken();
  void wake(Fiber* fiber);
  Fiber* current() const { return current_; }

  /// Kills a process. From one of its own fibers: throws Crash.
  void kill(Process& process);

  /// One event; false when there is none.
  bool step();

  std::uint64_t events() const { return events_; }

  /// Used by the mutex of fibers.
  static Scheduler* running();
  void wait_for_mutex();

 private:
  struct Event {
    TimePoint at;
    std::uint64_t tie;
    Fiber* fiber;
    std::uint64_t ticket;  // of the fiber's wait, or of the callback
    bool operator<(const Event& other) const { return at != other.at ? at > other.at : tie > other.tie; }
  };

  void schedule(Fiber* fiber, Micros delay);
  void resume(Fiber* fiber);
  void suspend();
  void reap(Process& process);

  Random random_;
  TimePoint now_{std::chrono::hours(1)};
  std::priority_queue<Event> queue_;
  std::deque<std::function<void()>> callbacks_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  boost::context::fiber main_;
  Fiber* current_ = nullptr;
  std::uint64_t events_ = 0;
  TickerInstead instead_;
};

}  // namespace seonchak::sim
