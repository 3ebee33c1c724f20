#include "core/catalog/propagator.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

Coupon row(const std::string& id, std::int64_t stock = 5) {
  Coupon coupon;
  coupon.id = id;
  coupon.name = "row";
  coupon.stock = stock;
  coupon.created_at = now();
  return coupon;
}

void commit_stock(World& world, const std::string& id, std::int64_t stock) {
  ASSERT_TRUE(world.sqlite->update_coupon(id, [&](Coupon& coupon) -> Result<void> {
    coupon.stock = stock;
    return {};
  }));
}

/// Somebody else's state where the coupon's would be: the gate refuses to open it.
void occupy(World& world, const std::string& id) {
  GateConfig foreign = committed(row(id));
  foreign.created_at = from_millis(1);
  foreign.epoch = 1'000'000;
  ASSERT_TRUE(world.memory_gate.install(foreign));
}

/// One process in time run by hand, with the delays of production.
struct Timed {
  HandTime time;
  World world;
  Elsewhere process{world.store, world.gate, {}};

  std::size_t commits() const {
    return world.faults.calls("update_coupon") + world.faults.calls("create_coupon");
  }

  /// Both threads of a process, for so long.
  void run_for(std::chrono::milliseconds duration) {
    const auto until = time.passed + duration;
    while (time.passed < until) {
      time.passed += 10ms;
      if (time.passed % 250ms == 0ms) (void)process.catalog.refresh();
      process.propagator.step(no_wait);
    }
  }
};

TEST(Propagator, OpensACouponWhoseMakerDiedBeforeTheGateHeardOfIt) {
  World world;
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  EXPECT_EQ(world.memory_gate.state("c").error().code, Errc::gate_missing);

  ASSERT_TRUE(world.refresh());
  EXPECT_EQ(world.catalog.snapshot()->find("c")->epoch, 1);
  EXPECT_EQ(world.claim("c", "a").decision, Decision::issued);
  EXPECT_TRUE(has_revision(*world.memory_gate.state("c"), *world.sqlite->coupon("c")));
  EXPECT_EQ(world.propagator.pending(), 0U);
}

TEST(Propagator, OpensACouponWhoseMakerDiedBetweenTheGateAndTheStore) {
  World world;
  const Coupon made = world.sqlite->create_coupon(row("c")).value();
  GateConfig installed = committed(made);
  installed.epoch = 1;
  ASSERT_TRUE(world.memory_gate.install(installed));

  ASSERT_TRUE(world.refresh());
  EXPECT_EQ(world.sqlite->coupon("c")->epoch, 1);
  EXPECT_EQ(world.catalog.snapshot()->find("c")->epoch, 1);
}

TEST(Propagator, KeepsNothingWhereAnotherProcessCarriesTheChanges) {
  World world;
  Catalog catalog(world.store);
  const Propagator idle(world.store, world.gate, catalog, world.metrics, {.carries = false});
  world.create("c", 5);
  ASSERT_TRUE(catalog.refresh());
  EXPECT_NE(catalog.snapshot()->find("c"), nullptr);
  EXPECT_EQ(idle.pending(), 0U);
}

TEST(Propagator, AStartAsksTheGateForAllCouponsAtOnceAndTellsItNothingNew) {
  World world;
  for (const char* id : {"c", "d", "e"}) world.create(id, 5);
  world.memory_gate.forget("d");
  const auto calls = [&](const char* name) { return world.faults.calls(name); };
  const auto configured = calls("configure");
  const auto asked = calls("states");
  const auto asked_one = calls("state");
  Elsewhere again(world.store, world.gate);
  ASSERT_TRUE(again.catalog.refresh());
  again.propagator.step(no_wait);
  EXPECT_EQ(again.propagator.pending(), 1U) << "the one that is missing";
  EXPECT_EQ(calls("configure"), configured);
  EXPECT_EQ(calls("states"), asked + 1);
  EXPECT_EQ(calls("state"), asked_one);
}

TEST(Propagator, TwoProcessesOpenTheSameCouponOnce) {
  World world;
  Elsewhere other(world.store, world.gate);
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  ASSERT_TRUE(world.refresh());
  EXPECT_EQ(world.claim("c", "a").sequence, 1);
  ASSERT_TRUE(other.refresh());
  EXPECT_EQ(other.catalog.snapshot()->find("c")->epoch, 1);
  EXPECT_EQ(world.claim("c", "b").sequence, 2) << "opening again must not forget a holder";
}

TEST(Propagator, ACouponIsNotOpenBeforeItsGateIs) {
  World world;
  world.faults.fail("install", Fault::before);
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  ASSERT_TRUE(world.refresh());
  EXPECT_FALSE(world.catalog.snapshot()->find("c")->is_open());
  world.faults.heal();
  world.propagate();
  EXPECT_TRUE(world.catalog.snapshot()->find("c")->is_open());
}

TEST(Propagator, AnOpeningThatWasOvertakenIsNotTrusted) {
  World world;
  Coupon coupon = world.sqlite->create_coupon(row("c")).value();
  Coupon slow = coupon;
  slow.epoch = 1;
  ASSERT_TRUE(world.sqlite->update_coupon("c", [](Coupon& drawn) -> Result<void> {
    drawn.epoch = 1;
    return {};
  }));
  ASSERT_TRUE(open_coupon(*world.sqlite, world.memory_gate, coupon));
  EXPECT_EQ(coupon.settled, 2);
  world.memory_gate.forget("c");
  ASSERT_TRUE(world.memory_gate.install(committed(slow))) << "the other's call arrives at last";
  EXPECT_FALSE(world.memory_gate.claim_now({"c", coupon.epoch, 0, {"user"}}));
}

// The call may arrive yet: its epoch must not be the one that is trusted in the end.
TEST(Propagator, AnOpeningWhoseFateIsUnknownIsNotRepeatedInItsEpoch) {
  World world;
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  world.faults.fail("install", Fault::before, 1);
  ASSERT_TRUE(world.refresh());
  EXPECT_EQ(world.sqlite->coupon("c")->settled, 2);
}

TEST(Propagator, PropagatesAChangeThatItsMakerDidNot) {
  World world;
  world.create("c", 1);
  commit_stock(world, "c", 2);
  world.faults.fail("configure", Fault::before, 1);
  ASSERT_TRUE(world.catalog.refresh());
  world.propagator.step(no_wait);
  EXPECT_EQ(world.memory_gate.state("c")->stock, 1);
  world.propagator.step(no_wait);
  EXPECT_EQ(world.memory_gate.state("c")->stock, 2);
}

TEST(Propagator, WhatSomebodyElseHasPropagatedIsNotPropagatedAgain) {
  World world;
  world.create("c", 1);
  commit_stock(world, "c", 2);
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_EQ(world.propagator.pending(), 1U);
  world.propagator.propagated(*world.sqlite->coupon("c"));
  EXPECT_EQ(world.propagator.pending(), 0U);
  commit_stock(world, "c", 3);
  Coupon older = *world.sqlite->coupon("c");
  ASSERT_TRUE(world.catalog.refresh());
  older.revision -= 1;
  world.propagator.propagated(older);
  EXPECT_EQ(world.propagator.pending(), 1U);
}

TEST(Propagator, AStuckCouponDoesNotHoldBackTheOthers) {
  World world;
  occupy(world, "stuck");
  ASSERT_TRUE(world.sqlite->create_coupon(row("stuck")));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(world.sqlite->create_coupon(row("c" + std::to_string(i))));
  ASSERT_TRUE(world.refresh());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(world.memory_gate.state("c" + std::to_string(i)));
  EXPECT_EQ(world.propagator.stuck(), 1U);
}

// The clock of a loosening starts when its commit is known, not when the gate was looked at.
TEST(Propagator, AHigherStockWaitsUntilNobodyRefusesByTheOldOne) {
  Timed test;
  test.world.create("c", 1);
  commit_stock(test.world, "c", 2);
  ASSERT_TRUE(test.process.catalog.refresh());
  test.process.propagator.step(no_wait);
  test.time.passed += safety_times.loosening_delay - 1ms;
  test.process.propagator.step(no_wait);
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 1);
  test.time.passed += 1ms;
  test.process.propagator.step(no_wait);
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 2);
}

TEST(Propagator, ACouponThatTheGateRefusesCostsNoCommits) {
  Timed test;
  occupy(test.world, "c");
  ASSERT_TRUE(test.world.sqlite->create_coupon(row("c")));
  test.run_for(1min);
  EXPECT_EQ(test.process.propagator.stuck(), 1U);
  EXPECT_EQ(test.commits(), 1U) << "the epoch that every attempt is made in";
  EXPECT_LE(test.world.faults.calls("install"), 20U);

  test.world.memory_gate.forget("c");
  test.run_for(6s);
  EXPECT_TRUE(test.process.catalog.snapshot()->find("c")->is_open());
  EXPECT_EQ(test.process.propagator.pending(), 0U);
}

TEST(Propagator, ProcessesDoNotOutbidEachOtherForACouponThatTheGateRefuses) {
  Timed test;
  Elsewhere other(test.world.store, test.world.gate, {});
  occupy(test.world, "c");
  ASSERT_TRUE(test.world.sqlite->create_coupon(row("c")));
  for (int i = 0; i < 240; ++i) {
    test.run_for(250ms);
    (void)other.catalog.refresh();
    other.propagator.step(no_wait);
  }
  EXPECT_LE(test.commits(), 2U);
  test.world.memory_gate.forget("c");
  for (int i = 0; i < 40; ++i) {
    test.run_for(250ms);
    (void)other.catalog.refresh();
    other.propagator.step(no_wait);
  }
  EXPECT_TRUE(test.world.sqlite->coupon("c")->is_open());
}

// As long as the gate cannot even be asked for the coupon's state, no epoch is drawn for it.
TEST(Propagator, ACouponWhoseStateCannotBeReadIsNotOpened) {
  Timed test;
  ASSERT_TRUE(test.world.sqlite->create_coupon(row("c")));
  for (const char* call : {"states", "state"}) test.world.faults.fail(call, Fault::before);
  test.run_for(1min);
  EXPECT_EQ(test.commits(), 0U);
  EXPECT_EQ(test.process.propagator.stuck(), 1U);
  test.world.faults.heal();
  test.run_for(6s);
  EXPECT_TRUE(test.world.sqlite->coupon("c")->is_open());
  EXPECT_EQ(test.process.propagator.stuck(), 0U);
}

// Its state is that of another epoch, and a recovery looks at coupons that are open in the store.
TEST(Propagator, ACouponThatTheStoreTakesForUnopenedIsSettledForTheRecovery) {
  World world;
  for (const Epoch epoch : {Epoch(1), Epoch(1'000'000)}) {
    const std::string id = "c" + std::to_string(epoch.value());
    const Coupon fallen_back = world.sqlite->create_coupon(row(id)).value();
    GateConfig opened = committed(fallen_back);
    opened.epoch = epoch;
    ASSERT_TRUE(world.memory_gate.install(opened));
    ASSERT_TRUE(world.memory_gate.claim_now({id, epoch, 0, {"user"}}));
    ASSERT_TRUE(world.sqlite->update_coupon(id, [](Coupon& drawn) -> Result<void> {
      drawn.epoch = 7;  // by somebody who has died
      return {};
    }));
    ASSERT_TRUE(world.refresh());
    EXPECT_TRUE(world.sqlite->coupon(id)->is_open());
    EXPECT_EQ(world.sqlite->coupon(id)->epoch, 8);
    EXPECT_EQ(world.memory_gate.state(id)->epoch, epoch) << "what it has issued is the recovery's to keep";
  }
}

TEST(Propagator, ANewRevisionIsTriedAtOnce) {
  Timed test;
  occupy(test.world, "c");
  ASSERT_TRUE(test.world.sqlite->create_coupon(row("c")));
  test.run_for(1min);
  EXPECT_EQ(test.process.propagator.stuck(), 1U);
  test.world.memory_gate.forget("c");
  commit_stock(test.world, "c", 3);
  test.run_for(250ms);
  EXPECT_EQ(test.world.memory_gate.state("c")->stock, 3);
  EXPECT_EQ(test.process.propagator.stuck(), 0U);
}

TEST(Propagator, AGateThatIsAwayIsNoTroubleOfTheCoupons) {
  Timed test;
  for (const char* call : {"states", "state", "gate_check"}) test.world.faults.fail(call, Fault::before);
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(test.world.sqlite->create_coupon(row(id)));
  test.run_for(1min);
  EXPECT_EQ(test.process.propagator.stuck(), 0U);
  EXPECT_LE(test.world.faults.calls("states"), 130U);
  test.world.faults.heal();
  test.run_for(600ms);
  for (const char* id : {"a", "b", "c"}) EXPECT_TRUE(test.world.sqlite->coupon(id)->is_open());
}

TEST(Propagator, AStepHandlesNoMoreThanItsLimit) {
  World world;
  PropagatorOptions options = at_once;
  options.coupons_per_step_max = 2;
  for (const char* id : {"a", "b", "c"}) world.create(id, 5);
  Elsewhere small(world.store, world.gate, options);
  ASSERT_TRUE(small.catalog.refresh());
  small.propagator.step(no_wait);
  EXPECT_EQ(small.propagator.pending(), 1U);
  small.propagator.step(no_wait);
  EXPECT_EQ(small.propagator.pending(), 0U);
}

TEST(Propagator, AStepWaitsForAChange) {
  World world;
  world.create("c", 1);
  std::thread changing([&] {
    std::this_thread::sleep_for(20ms);
    commit_stock(world, "c", 2);
    EXPECT_TRUE(world.catalog.refresh());
  });
  world.propagator.step(1min);
  changing.join();
  EXPECT_EQ(world.memory_gate.state("c")->stock, 2);
}

}  // namespace
}  // namespace seonchak
