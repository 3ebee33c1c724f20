#include <gtest/gtest.h>

#include "core/admission/refusal_cache.hpp"
#include "core/testing/refusal_cache.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

/// For the time that passes while the catalog is kept fresh.
void pass(Refusing& test, std::chrono::milliseconds time) {
  test.time.passed += time;
  test.refresh();
}

TEST(RefusalCacheAgain, OneUserASecondAsksTheGateWhileTheOthersAreRefused) {
  Refusing test;
  test.sell_out();
  test.learn();
  EXPECT_EQ(test.ask("x"), "x sold_out");
  for (int second = 0; second < 10; ++second) {
    pass(test, 1s);
    const std::string user = "x" + std::to_string(second);
    test.world.answers.clear();
    test.world.ask("c", user);
    ASSERT_EQ(test.world.slow.held.size(), 1U);
    test.world.ask("c", "other");
    EXPECT_EQ(test.world.answers, (Answers{"other sold_out"})) << "who comes meanwhile does not wait";
    test.world.answer_all();
    EXPECT_EQ(test.ask("other"), "other sold_out");
  }
  EXPECT_NE(test.world.metrics.text().find("seonchak_holder_scans_total 1\n"), std::string::npos);
}

TEST(RefusalCacheAgain, WithoutAnAnswerOfTheGateTheyEnd) {
  Refusing test;
  test.sell_out();
  test.learn();
  for (int second = 1; second <= 2; ++second) {
    pass(test, 1s);
    test.world.ask("c", "x");
    ASSERT_EQ(test.world.slow.held.size(), 1U);
    test.world.slow.fail({Errc::unavailable, "gone"});
    EXPECT_EQ(test.ask("y"), "y sold_out");
  }
  pass(test, 1s);
  for (const char* user : {"x", "y"}) {
    test.world.ask("c", user);
    ASSERT_EQ(test.world.slow.held.size(), 1U);
    test.world.slow.fail({Errc::unavailable, "gone"});
  }
}

TEST(RefusalCacheAgain, NobodyIsAskedForWithoutDemand) {
  Refusing test;
  test.sell_out();
  test.learn();
  pass(test, 1h);
  EXPECT_EQ(test.ask("x"), "x sold_out gate");
  EXPECT_EQ(test.ask("x"), "x sold_out") << "the filter is still there";
}

TEST(RefusalCacheAgain, AGlitchOfTheGatesClockClosesNothingForGood) {
  Refusing test;
  const NewCoupon coupon{"late", "Late", 2, {}, test.time.wall() + 2h, Ack::gate};
  ASSERT_TRUE(test.world.coupon_admin.create(coupon));
  EXPECT_EQ(test.ask("a", "late"), "a issued 1 gate");
  test.time.wall_ahead = 3h;
  EXPECT_EQ(test.ask("x", "late"), "x closed gate");
  test.learn();
  EXPECT_EQ(test.ask("x", "late"), "x closed");
  test.time.wall_ahead = 0h;
  pass(test, 999ms);
  EXPECT_EQ(test.ask("x", "late"), "x closed");
  pass(test, 1ms);
  EXPECT_EQ(test.ask("x", "late"), "x issued 2 gate");
  EXPECT_EQ(test.ask("y", "late"), "y sold_out gate");
  test.learn();
  EXPECT_EQ(test.ask("y", "late"), "y sold_out");
}

// An answer that the gate gave before its clock was mended comes after one that it gave later.
TEST(RefusalCacheAgain, AnOlderAnswerRevivesNothing) {
  Refusing test;
  test.sell_out();
  test.learn();
  const auto coupon = test.world.reader.find("c");
  const GateState refusing = test.world.memory_gate.state("c").value();
  GateState open = refusing;
  open.stock = 3;
  test.world.refusals.seen(*coupon, open, test.time.now() + 2ms);
  test.world.refusals.seen(*coupon, refusing, test.time.now() + 1ms);
  EXPECT_EQ(test.ask("x"), "x sold_out gate");
}

}  // namespace
}  // namespace seonchak
