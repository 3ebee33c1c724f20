#include "base/ticker.hpp"

#include <atomic>
#include <ctime>
#include <thread>

namespace seonchak {

namespace {

class SystemTicker final : public Ticker {
 public:
  TimePoint now() override {
    std::timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
  Time wall() override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  void sleep_for(std::chrono::milliseconds duration) override { std::this_thread::sleep_for(duration); }
};

SystemTicker system_ticker;
std::atomic<Ticker*> in_use{&system_ticker};

}  // namespace

Ticker& ticker() {
  return *in_use.load(std::memory_order_acquire);
}

TickerInstead::TickerInstead(Ticker& other) : before_(in_use.exchange(&other)) {}

TickerInstead::~TickerInstead() {
  in_use.store(before_);
}

}  // namespace seonchak
