#include "cli/stop_signals.hpp"

#include <csignal>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace seonchak {
namespace {

/// Ends the process: 1 when it was taken for a stop.
[[noreturn]] void get(int signal, void (*disposition)(int)) {
  std::signal(signal, disposition);
  const StopSignals signals(std::make_shared<StopDeadline>());
  kill(getpid(), signal);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::_Exit(signals.asked() ? 1 : 0);
}

TEST(StopSignalsDeathTest, AHangupIsAStopUnlessItWasIgnoredAtTheStart) {
  EXPECT_EXIT(get(SIGHUP, SIG_DFL), testing::ExitedWithCode(1), "");
  EXPECT_EXIT(get(SIGHUP, SIG_IGN), testing::ExitedWithCode(0), "");
}

TEST(StopSignalsDeathTest, ATerminationIsAStop) {
  EXPECT_EXIT(get(SIGTERM, SIG_DFL), testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace seonchak
