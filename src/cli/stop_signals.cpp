#include "cli/stop_signals.hpp"

#include <array>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "base/log.hpp"
#include "base/named_thread.hpp"
#include "cli/commands.hpp"

namespace seonchak {

namespace {

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals(std::shared_ptr<StopDeadline> stop) : stop_(std::move(stop)) {
  std::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals_);
  for (const int signal : std::array{SIGINT, SIGTERM}) sigaddset(&signals_, signal);
  // Blocked, it would be waited for all the same.
  if (!is_ignored(SIGHUP)) sigaddset(&signals_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = named_thread("signals", [this] { watch(); });
}

StopSignals::~StopSignals() {
  ended_.set_value();
  thread_.join();
}

bool StopSignals::asked() const {
  return asked_future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

void StopSignals::watch() {
  const auto ended = ended_.get_future();
  constexpr timespec look_period{0, 50'000'000};
  int signal = -1;
  while (signal < 0) {
    if (ended.wait_for(std::chrono::seconds(0)) == std::future_status::ready) return;
    signal = sigtimedwait(&signals_, nullptr, &look_period);
  }
  log::info("stopping", {{"signal", signal}});
  const bool ready = ready_;
  if (!ready) stop_->set(std::chrono::steady_clock::now());
  asked_.set_value();
  if (ended.wait_for(ready ? stop_limit : start_limit) == std::future_status::ready) return;
  log::warn("stopped, and left behind what could not be ended in time");
  std::_Exit(exit_ok);
}

}  // namespace seonchak
