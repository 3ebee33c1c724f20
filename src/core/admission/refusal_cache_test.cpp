#include "core/admission/refusal_cache.hpp"

#include <gtest/gtest.h>

#include "core/testing/refusal_cache.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

TEST(RefusalCache, AfterTheLastOneLosersCostTheGateNothing) {
  Refusing test;
  test.sell_out();
  EXPECT_EQ(test.ask("x"), "x sold_out gate") << "nobody has asked yet who the holders are";
  test.learn();
  int asked = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::string user = "loser" + std::to_string(i);
    const std::string answer = test.ask(user);
    EXPECT_TRUE(answer.starts_with(user + " sold_out"));
    asked += answer.ends_with("gate") ? 1 : 0;
  }
  EXPECT_LT(asked, 10) << "the filter may err, but not often";
  EXPECT_EQ(test.ask("y"), "y sold_out");
}

TEST(RefusalCache, MoreHoldersThanThereIsMemoryForAreTheGatesMatter) {
  Refusing test;
  const auto coupon = test.world.catalog.snapshot()->find("c");
  ASSERT_TRUE(coupon);
  GateState state = test.world.gate.state("c").value();
  state.stock = state.issued = std::int64_t{1} << 53;
  test.world.refusals.seen(*coupon, state, ticker().now());
  test.learn();
  EXPECT_TRUE(test.world.refusals.known()->empty());
}

TEST(RefusalCache, AHolderGetsTheFirstSequenceAgain) {
  Refusing test;
  test.sell_out();
  test.learn();
  EXPECT_EQ(test.ask("x"), "x sold_out");
  EXPECT_EQ(test.ask("a"), "a already_issued 1 gate");
  EXPECT_EQ(test.ask("b"), "b already_issued 2 gate");
}

TEST(RefusalCache, ACouponThatIsNotSoldOutIsTheGatesMatter) {
  Refusing test;
  EXPECT_EQ(test.ask("a"), "a issued 1 gate");
  test.learn();
  EXPECT_EQ(test.ask("b"), "b issued 2 gate");
}

TEST(RefusalCache, ARefillIsHeardOf) {
  Refusing test;
  test.sell_out();
  test.learn();
  EXPECT_EQ(test.ask("x"), "x sold_out");
  ASSERT_TRUE(test.world.change_stock("c", 3));
  EXPECT_EQ(test.ask("x"), "x issued 3 gate");
  EXPECT_EQ(test.ask("y"), "y sold_out gate");
  test.learn();
  EXPECT_EQ(test.ask("y"), "y sold_out");
  EXPECT_EQ(test.ask("x"), "x already_issued 3 gate");
}

TEST(RefusalCache, WhoHasNotHeardFromTheStoreAsksTheGate) {
  Refusing test;
  test.sell_out();
  test.learn();
  test.time.passed += safety_times.refusal_lease;
  EXPECT_EQ(test.ask("x"), "x sold_out");
  test.time.passed += 1ms;
  EXPECT_EQ(test.ask("x"), "x sold_out gate");
  test.refresh();
  EXPECT_EQ(test.ask("x"), "x sold_out");
}

// The gate is told of a refill when nobody can refuse by what was before any more.
TEST(RefusalCache, NobodyIsLetInWhileAnotherProcessMayStillRefuse) {
  Refusing test;
  constexpr auto delay = safety_times.loosening_delay;
  Elsewhere other(test.world.store, test.world.gate, {.loosening_delay = delay});
  test.sell_out();
  test.learn();
  ASSERT_TRUE(other.refresh());
  ASSERT_TRUE(test.world.sqlite->update_coupon("c", [](Coupon& row) -> Result<void> {
    row.stock = 3;
    return {};
  }));
  ASSERT_TRUE(other.refresh());
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 2);
  test.time.passed += delay - 1ms;
  ASSERT_TRUE(other.refresh());
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 2);
  EXPECT_EQ(test.ask("x"), "x sold_out gate");
  test.time.passed += 1ms;
  ASSERT_TRUE(other.refresh());
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 3);
}

TEST(RefusalCache, ALowerStockIsInForceAtOnce) {
  Refusing test;
  Elsewhere other(test.world.store, test.world.gate, {.loosening_delay = 1h});
  ASSERT_TRUE(test.world.sqlite->update_coupon("c", [](Coupon& row) -> Result<void> {
    row.stock = 1;
    return {};
  }));
  ASSERT_TRUE(other.refresh());
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 1);
}

TEST(RefusalCache, AStockThatWasOnlyProposedRefusesNobodyFromMemory) {
  Refusing test;
  EXPECT_EQ(test.ask("a"), "a issued 1 gate");
  Coupon changed = test.world.sqlite->coupon("c").value();
  changed.stock = 1;
  ASSERT_TRUE(test.world.memory_gate.configure(proposed(changed)));
  EXPECT_EQ(test.ask("x"), "x sold_out gate");
  test.learn();
  EXPECT_EQ(test.ask("x"), "x sold_out gate");
}

TEST(RefusalCache, ClosedIsAnsweredFromMemoryToo) {
  Refusing test;
  EXPECT_EQ(test.ask("a"), "a issued 1 gate");
  ASSERT_TRUE(test.world.coupon_admin.close("c"));
  EXPECT_EQ(test.ask("x"), "x closed gate");
  test.learn();
  EXPECT_EQ(test.ask("x"), "x closed");
  EXPECT_EQ(test.ask("a"), "a already_issued 1 gate");
}

TEST(RefusalCache, TheGatesClockOpensAndCloses) {
  Refusing test;
  NewCoupon coupon{"later", "Later", 1, test.time.wall() + 500ms, test.time.wall() + 5s, Ack::gate};
  ASSERT_TRUE(test.world.coupon_admin.create(coupon));
  EXPECT_EQ(test.ask("x", "later"), "x not_open gate");
  test.learn();
  test.time.passed += 498ms;
  EXPECT_EQ(test.ask("x", "later"), "x not_open");
  test.time.passed += 2ms;
  test.refresh();
  EXPECT_EQ(test.ask("x", "later"), "x issued 1 gate");
  EXPECT_EQ(test.ask("y", "later"), "y sold_out gate");
  test.learn();
  EXPECT_EQ(test.ask("y", "later"), "y sold_out");
  test.time.passed += 5s;
  test.refresh();
  EXPECT_EQ(test.ask("y", "later"), "y closed gate") << "closed comes before sold out";
}

TEST(RefusalCache, WhetherItIsOpenIsAskedEverySecond) {
  Refusing test;
  NewCoupon coupon{"later", "Later", 1, test.time.wall() + 1h, {}, Ack::gate};
  ASSERT_TRUE(test.world.coupon_admin.create(coupon));
  EXPECT_EQ(test.ask("x", "later"), "x not_open gate");
  test.learn();
  EXPECT_EQ(test.ask("x", "later"), "x not_open");
  test.time.passed += 1s;
  test.refresh();
  EXPECT_EQ(test.ask("x", "later"), "x not_open gate");
}

TEST(RefusalCache, ARecoveryEndsThem) {
  Refusing test;
  test.sell_out();
  test.learn();
  ASSERT_TRUE(test.world.sqlite->update_coupon("c", [](Coupon& row) -> Result<void> {
    ++row.epoch;
    return {};
  }));
  test.refresh();
  EXPECT_EQ(test.ask("x"), "x gate_epoch");
}

// A gate that lost its state must not make strangers of its holders.
TEST(RefusalCache, HoldersThatAreReadFromALostStateDoNotCount) {
  Refusing test;
  test.sell_out();
  test.world.memory_gate.forget("c");
  test.learn();
  EXPECT_EQ(test.ask("a"), "a gate_missing gate");
}

TEST(RefusalCache, AFailureToReadTheHoldersIsMadeGoodLater) {
  for (const char* call : {"holders_page", "state"}) {
    Refusing test;
    test.sell_out();
    test.world.faults.fail(call, Fault::before, 1);
    test.learn();
    EXPECT_EQ(test.ask("x"), "x sold_out gate") << call;
    test.learn();
    EXPECT_EQ(test.ask("x"), "x sold_out") << call;
  }
}

TEST(RefusalCache, AStepPublishesOnce) {
  Refusing test;
  test.sell_out();
  test.learn();
  test.world.create("d", 1);
  EXPECT_EQ(test.ask("a", "d"), "a issued 1 gate");
  ASSERT_TRUE(test.world.change_stock("c", 3));  // what is known of it is outdated
  EXPECT_EQ(test.ask("x", "d"), "x sold_out gate");
  const std::uint64_t before = test.world.refusals.version();
  test.learn();
  EXPECT_EQ(test.world.refusals.version(), before + 1);
  EXPECT_EQ(test.ask("x", "d"), "x sold_out");
  EXPECT_EQ(test.world.refusals.known()->size(), 1U);
}

TEST(RefusalCache, WhatIsOutdatedMakesRoomForTheFilterOfAnother) {
  Refusing test;
  constexpr std::size_t one_filter = 32;
  RefusalCache small(test.world.gate, test.world.catalog, test.world.metrics,
                     {.filter_bytes_max = one_filter});
  const auto learn = [&](const std::string& id) {
    small.seen(*test.world.reader.find(id), test.world.memory_gate.state(id).value(), test.time.now());
    small.step(0ms);
    return small.known()->contains(id);
  };
  test.world.create("d", 1);
  EXPECT_EQ(test.ask("a", "d"), "a issued 1 gate");
  test.sell_out();
  EXPECT_TRUE(learn("c"));
  EXPECT_FALSE(learn("d"));
  ASSERT_TRUE(test.world.change_stock("c", 3));
  EXPECT_TRUE(learn("d"));
}

TEST(RefusalCache, WithoutMemoryForTheFilterTheGateIsAsked) {
  Refusing test;
  RefusalCache small(test.world.gate, test.world.catalog, test.world.metrics, {.filter_bytes_max = 16});
  test.sell_out();
  const auto state = test.world.memory_gate.state("c").value();
  small.seen(*test.world.reader.find("c"), state, test.time.now());
  small.step(0ms);
  EXPECT_TRUE(small.known()->empty());
}

}  // namespace
}  // namespace seonchak
