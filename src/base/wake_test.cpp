#include "base/wake.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto for_ever = 60s;

TEST(Wake, ACallBeforeTheSleepEndsIt) {
  Wake wake;
  wake.notify();
  wake.notify();
  const auto began = steady_clock::now();
  wake.wait_for(for_ever);
  EXPECT_LT(steady_clock::now() - began, for_ever / 2);
}

TEST(Wake, CallsBeforeTheSleepEndOneSleepOnly) {
  Wake wake;
  wake.notify();
  wake.notify();
  wake.wait_for(for_ever);
  const auto began = steady_clock::now();
  wake.wait_for(20ms);
  EXPECT_GE(steady_clock::now() - began, 20ms);
}

TEST(Wake, NoCallIsMissed) {
  constexpr int rounds = 2'000;
  Wake there;
  Wake back;
  std::jthread other([&] {
    for (int i = 0; i < rounds; ++i) {
      there.wait_for(for_ever);
      back.notify();
    }
  });
  const auto began = steady_clock::now();
  for (int i = 0; i < rounds; ++i) {
    there.notify();
    back.wait_for(for_ever);
  }
  EXPECT_LT(steady_clock::now() - began, for_ever);
}

}  // namespace
}  // namespace seonchak
