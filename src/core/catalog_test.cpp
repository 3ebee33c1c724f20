#include "core/catalog.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "core/world_fixture.hpp"

namespace seonchak {
namespace {

Coupon row(const std::string& id, std::int64_t stock = 5) {
  Coupon coupon;
  coupon.id = id;
  coupon.name = "row";
  coupon.stock = stock;
  coupon.created_at = now();
  return coupon;
}

TEST(Catalog, OpensACouponWhoseMakerDiedBeforeTheGateHeardOfIt) {
  World world;
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  EXPECT_EQ(world.memory_gate.state("c").error().code, Errc::gate_missing);

  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_EQ(world.catalog.snapshot()->find("c")->epoch, 1);
  EXPECT_EQ(world.claim("c", "a").decision, Decision::issued);
}

TEST(Catalog, OpensACouponWhoseMakerDiedBetweenTheGateAndTheStore) {
  World world;
  const Coupon made = world.sqlite->create_coupon(row("c")).value();
  Coupon installed = committed_for_gate(made);
  installed.epoch = 1;
  ASSERT_TRUE(world.memory_gate.install(installed));

  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_EQ(world.sqlite->coupon("c")->epoch, 1);
  EXPECT_EQ(world.catalog.snapshot()->find("c")->epoch, 1);
}

TEST(Catalog, AStartAsksTheGateForAllCouponsAtOnceAndTellsItNothingNew) {
  World world;
  for (const char* id : {"c", "d", "e"}) world.create(id, 5);
  world.memory_gate.forget("d");
  const auto calls = [&](const char* name) { return world.faults.calls(name); };
  const auto configured = calls("configure");
  const auto asked = calls("states");
  const auto asked_one = calls("state");
  Catalog again(world.store, &world.gate);
  ASSERT_TRUE(again.refresh());
  EXPECT_EQ(again.snapshot()->coupons().size(), 3U);
  EXPECT_EQ(calls("configure"), configured);
  EXPECT_EQ(calls("states"), asked + 1);
  EXPECT_EQ(calls("state"), asked_one + 1) << "the one that is missing is asked for again";
}

TEST(Catalog, TwoProcessesOpenTheSameCouponOnce) {
  World world;
  Catalog other(world.store, &world.gate);
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_EQ(world.claim("c", "a").sequence, 1);
  ASSERT_TRUE(other.refresh());
  EXPECT_EQ(other.snapshot()->find("c")->epoch, 1);
  EXPECT_EQ(world.claim("c", "b").sequence, 2) << "opening again must not forget a holder";
}

TEST(Catalog, ServesClosedGatesOnlyAfterTheyOpen) {
  World world;
  world.faults.fail("install", Fault::before);
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_FALSE(world.catalog.snapshot()->find("c")->is_open());
  world.faults.heal();
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_TRUE(world.catalog.snapshot()->find("c")->is_open());
}

TEST(Catalog, AnOpeningThatWasOvertakenIsNotTrusted) {
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
  ASSERT_TRUE(world.memory_gate.install(committed_for_gate(slow))) << "the other's call arrives at last";
  EXPECT_FALSE(world.memory_gate.claim_now({"c", coupon.epoch, 0, {"user"}}));
}

TEST(Catalog, CarriesAChangeThatItsMakerDidNot) {
  World world;
  world.create("c", 1);
  ASSERT_TRUE(world.sqlite->update_coupon("c", [](Coupon& coupon) -> Result<void> {
    coupon.stock = 2;
    return {};
  }));
  world.faults.fail("configure", Fault::before, 1);
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_EQ(world.memory_gate.state("c")->stock, 1);
  ASSERT_TRUE(world.catalog.refresh()) << "nothing new in the store, but the gate is still to be told";
  EXPECT_EQ(world.memory_gate.state("c")->stock, 2);
}

TEST(Catalog, AStuckCouponDoesNotHoldBackTheOthers) {
  World world;
  world.create("stuck", 5);
  for (const char* user : {"a", "b"}) world.claim("stuck", user);
  ASSERT_TRUE(world.sqlite->update_coupon("stuck", [](Coupon& coupon) -> Result<void> {
    coupon.stock = 1;
    return {};
  }));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(world.sqlite->create_coupon(row("c" + std::to_string(i))));
  ASSERT_TRUE(world.catalog.refresh());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(world.memory_gate.state("c" + std::to_string(i)));
}

// Which call fails must not matter: whatever was read is served, sooner or later.
TEST(Catalog, LosesNoCouponWhateverCallOfTheStoreFails) {
  for (std::size_t skip = 0; skip < 2; ++skip) {
    World world;
    ASSERT_TRUE(world.sqlite->create_coupon(row("a")));
    ASSERT_TRUE(world.sqlite->create_coupon(row("b")));
    world.faults.fail("coupons_since", Fault::before, 1, skip);
    (void)world.catalog.refresh();
    ASSERT_TRUE(world.catalog.refresh());
    for (const char* id : {"a", "b"}) {
      const auto coupon = world.catalog.snapshot()->find(id);
      ASSERT_TRUE(coupon) << id << " with call " << skip << " failing";
      EXPECT_EQ(coupon->epoch, 1) << id << " with call " << skip << " failing";
    }
  }
}

TEST(Catalog, LosesNoPageThatItReadBeforeTheStoreFailed) {
  World world;
  for (std::size_t i = 0; i <= coupons_page_max; ++i)
    ASSERT_TRUE(world.sqlite->create_coupon(row("c" + std::to_string(i))));
  Catalog starting(world.store, nullptr);
  world.faults.fail("coupons_since", Fault::before, 1, 1);
  EXPECT_FALSE(starting.refresh());
  EXPECT_EQ(starting.snapshot()->coupons().size(), coupons_page_max);
  ASSERT_TRUE(starting.refresh());
  EXPECT_EQ(starting.snapshot()->coupons().size(), coupons_page_max + 1);
}

TEST(Catalog, KeepsWhatItKnowsWhileTheStoreIsAway) {
  World world;
  world.create("c", 5);
  world.faults.fail("coupons_since", Fault::before);
  EXPECT_EQ(world.catalog.refresh().error().code, Errc::unavailable);
  EXPECT_TRUE(world.catalog.snapshot()->find("c"));
}

TEST(Catalog, ServesNoMoreCouponsThanItsLimit) {
  World world;
  Catalog small(world.store, nullptr, {.coupons_max = 2});
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(world.sqlite->create_coupon(row(id)));
  ASSERT_TRUE(small.refresh());
  EXPECT_EQ(small.snapshot()->coupons().size(), 2U);
  ASSERT_TRUE(world.sqlite->update_coupon("a", [](Coupon& coupon) -> Result<void> {
    coupon.name = "known ones still change";
    return {};
  }));
  ASSERT_TRUE(small.refresh());
  EXPECT_EQ(small.snapshot()->find("a")->name, "known ones still change");
}

TEST(Catalog, ReadsMoreThanOnePage) {
  World world;
  const int count = static_cast<int>(coupons_page_max) + 1;
  for (int i = 0; i < count; ++i) ASSERT_TRUE(world.sqlite->create_coupon(row(std::to_string(i))));
  Catalog reader(world.store, nullptr);
  ASSERT_TRUE(reader.refresh());
  EXPECT_EQ(reader.snapshot()->coupons().size(), static_cast<std::size_t>(count));
}

TEST(Catalog, FailsToStartWithoutTheStore) {
  World world;
  world.faults.fail("coupons_since", Fault::before);
  EXPECT_FALSE(world.catalog.start());
}

TEST(Catalog, ItsThreadNoticesAChange) {
  World world;
  Catalog quick(world.store, &world.gate, {.refresh_period = std::chrono::milliseconds(1)});
  ASSERT_TRUE(quick.start());
  CatalogReader reader(quick);
  EXPECT_FALSE(reader.find("c"));
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!reader.find("c") && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(reader.find("c"));
}

TEST(Catalog, AReaderSeesTheNewCouponWhenToldOfTheRefresh) {
  World world;
  ASSERT_TRUE(world.catalog.start());
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  CatalogReader reader(world.catalog);
  EXPECT_FALSE(reader.find("c"));
  std::atomic<bool> done{false};
  world.catalog.refresh_then([&](const Result<void>&) { done = true; });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(reader.find("c"));
}

}  // namespace
}  // namespace seonchak
