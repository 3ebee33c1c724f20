#include "base/invariant.hpp"

#include <csignal>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

TEST(Invariant, ThatHoldsCostsNothing) {
  invariant(true, "nothing is said");
}

TEST(InvariantDeathTest, BrokenItSaysWhereAndWhatAndAborts) {
  EXPECT_EXIT(invariant(1 + 1 == 3, "sums are right"), ::testing::KilledBySignal(SIGABRT),
              "^seonchak: broken invariant at src/base/invariant_test.cpp:[0-9]+: sums are right\n$");
  EXPECT_DEATH(broken_invariant("this is never reached"), "this is never reached");
}

}  // namespace
}  // namespace seonchak
