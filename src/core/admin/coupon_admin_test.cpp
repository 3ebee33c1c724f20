#include "core/admin/coupon_admin.hpp"

#include <random>

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

NewCoupon summer() {
  return {"summer", "Summer sale", 100, {}, {}, {}};
}

std::int64_t gate_stock(World& world) {
  return world.memory_gate.state("c")->stock;
}
std::int64_t store_stock(World& world) {
  return world.sqlite->coupon("c")->stock;
}

TEST(NewCoupon, IsFineAsMadeByHand) {
  EXPECT_TRUE(validate(summer(), {}).empty());
  NewCoupon coupon = summer();
  coupon.id.clear();
  EXPECT_TRUE(validate(coupon, {}).empty()) << "the store numbers it";
}

TEST(NewCoupon, EveryBadFieldIsNamedAtOnce) {
  const Time time = now();
  const NewCoupon bad{"a/b", "", 0, time, time, Ack::gate};
  std::vector<std::string> fields;
  for (const FieldError& error : validate(bad, {.gate_is_durable = false})) {
    fields.push_back(error.field);
    EXPECT_FALSE(error.message.empty());
  }
  EXPECT_EQ(fields, (std::vector<std::string>{"id", "name", "stock", "closesAt", "ack"}));
}

TEST(NewCoupon, AnIdIsOneThatAUrlCanName) {
  NewCoupon coupon = summer();
  for (const char* id : {".", ".."}) {
    coupon.id = id;
    const auto errors = validate(coupon, {});
    ASSERT_EQ(errors.size(), 1U) << id;
    EXPECT_EQ(errors[0].field, "id");
  }
  coupon.id = "...";
  EXPECT_TRUE(validate(coupon, {}).empty());
}

TEST(NewCoupon, LimitsAreInclusive) {
  NewCoupon coupon = summer();
  coupon.name = std::string(name_bytes_max, 'n');
  coupon.stock = stock_max;
  coupon.opens_at = from_millis(1'000);
  coupon.closes_at = from_millis(1'001);
  EXPECT_TRUE(validate(coupon, {}).empty());
  coupon.name += 'n';
  coupon.stock = stock_max + 1;
  EXPECT_EQ(validate(coupon, {}).size(), 2U);
  coupon = summer();
  coupon.name = "two\nlines";
  EXPECT_EQ(validate(coupon, {}).size(), 1U);
}

TEST(CouponAdmin, ANewCouponCanBeIssuedAtOnce) {
  World world;
  const Coupon coupon = world.create("c", 2, Ack::log);
  EXPECT_EQ(coupon.epoch, 1);
  EXPECT_EQ(coupon.ack, Ack::log);
  EXPECT_EQ(world.catalog.snapshot()->find("c")->epoch, 1);
  EXPECT_EQ(world.claim("c", "a").sequence, 1);
}

TEST(CouponAdmin, ANewCouponCostsTwoCommits) {
  World world;
  world.create("c", 2);
  EXPECT_EQ(world.faults.calls("create_coupon"), 1U);
  EXPECT_EQ(world.faults.calls("update_coupon"), 1U);
}

TEST(CouponAdmin, ACouponMadeWhileTheGateIsAwayIsOpenedLater) {
  for (const char* call : {"identity", "install"}) {
    World world;
    world.faults.fail(call, Fault::before, 1);
    world.create("c", 2);
    ASSERT_TRUE(world.refresh());
    EXPECT_TRUE(world.sqlite->coupon("c")->is_open()) << call;
    EXPECT_EQ(world.claim("c", "a").sequence, 1) << call;
  }
}

TEST(CouponAdmin, AChangeIsPropagatedOnce) {
  World world;
  world.create("c", 2);
  const std::size_t before = world.faults.calls("configure");
  ASSERT_TRUE(world.change_stock("c", 3));
  EXPECT_EQ(gate_stock(world), 3);
  EXPECT_EQ(world.faults.calls("configure"), before + 1);
}

TEST(CouponAdmin, NumberACouponWithoutAnId) {
  World world;
  NewCoupon coupon = summer();
  coupon.id.clear();
  EXPECT_EQ(world.coupon_admin.create(coupon)->id, "1");
  EXPECT_EQ(world.coupon_admin.create(coupon)->id, "2");
}

TEST(CouponAdmin, RefuseAnIdThatIsTaken) {
  World world;
  world.create("c", 2);
  world.claim("c", "a");
  EXPECT_EQ(world.coupon_admin.create({"c", "again", 9, {}, {}, {}}).error().code, Errc::already_exists);
  EXPECT_EQ(gate_stock(world), 2);
}

TEST(CouponAdmin, ARaiseReachesStoreAndGate) {
  World world;
  world.create("c", 1);
  EXPECT_EQ(world.change_stock("c", 2)->stock, 2);
  EXPECT_EQ(gate_stock(world), 2);
  EXPECT_EQ(store_stock(world), 2);
  EXPECT_EQ(world.catalog.snapshot()->find("c")->stock, 2);
}

TEST(CouponAdmin, AStockBelowWhatIsIssuedChangesNothing) {
  World world;
  world.create("c", 5);
  for (const char* user : {"a", "b", "c"}) world.claim("c", user);
  EXPECT_EQ(world.change_stock("c", 2).error().code, Errc::stock_below_issued);
  EXPECT_EQ(gate_stock(world), 5);
  EXPECT_EQ(store_stock(world), 5);
  EXPECT_TRUE(world.change_stock("c", 3));
  EXPECT_EQ(world.claim("c", "d").decision, Decision::sold_out);
}

TEST(CouponAdmin, ALowerStockIsInTheGateBeforeTheStoreCommits) {
  World world;
  world.create("c", 10);
  world.faults.fail("commit", Fault::before, 1);
  EXPECT_EQ(world.change_stock("c", 4).error().code, Errc::unavailable);
  EXPECT_EQ(gate_stock(world), 4);
  EXPECT_EQ(store_stock(world), 10);
}

TEST(CouponAdmin, ALateRepeatOfTheOldRevisionDoesNotUndoALoweredStock) {
  World world;
  world.create("c", 10);
  world.faults.fail("commit", Fault::before, 1);
  ASSERT_FALSE(world.change_stock("c", 4));
  Elsewhere starting(world.store, world.gate);
  ASSERT_TRUE(starting.refresh());
  EXPECT_EQ(gate_stock(world), 4);
}

TEST(CouponAdmin, AfterALowerThatFailedARaiseWorks) {
  World world;
  world.create("c", 10);
  world.faults.fail("commit", Fault::before, 1);
  ASSERT_FALSE(world.change_stock("c", 4));
  ASSERT_TRUE(world.change_stock("c", 12));
  EXPECT_EQ(gate_stock(world), 12);
  EXPECT_EQ(store_stock(world), 12);
}

// The stock of 8 is in the gate alone, and more than 4 were issued under it: 4 must not get into the store.
TEST(CouponAdmin, AfterALowerThatFailedAStillLowerOneIsCheckedByTheGate) {
  World world;
  world.create("c", 10);
  world.faults.fail("commit", Fault::before, 1);
  ASSERT_FALSE(world.change_stock("c", 8));
  world.issue("c", 6);
  EXPECT_EQ(world.change_stock("c", 4).error().code, Errc::stock_below_issued);
  EXPECT_EQ(store_stock(world), 10);
  ASSERT_TRUE(world.change_stock("c", 6));
  EXPECT_EQ(gate_stock(world), 6);
  EXPECT_EQ(store_stock(world), 6);
}

// Else another process that has just read the old row could open the gate with the old stock, after the lower
// one.
TEST(CouponAdmin, ALowerStockWaitsUntilTheCouponIsOpen) {
  World world;
  world.faults.fail("install", Fault::before);
  ASSERT_TRUE(world.coupon_admin.create({"c", "unlucky", 10, {}, {}, {}}));
  EXPECT_EQ(world.change_stock("c", 4).error().code, Errc::unavailable);
  EXPECT_EQ(store_stock(world), 10);
}

TEST(CouponAdmin, NeitherFailuresNorRivalsPutMoreIntoTheGateThanTheStoreAllows) {
  for (std::uint64_t seed = 0; seed < 150 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world;
    Elsewhere elsewhere(world.store, world.gate);
    std::mt19937_64 random(seed);
    world.faults.fail_at_random(seed, 25);
    (void)world.coupon_admin.create({"c", "drawn", 10, {}, {}, {}});
    for (int i = 0; i < 25; ++i) {
      switch (random() % 4) {
        case 0:
          (void)elsewhere.refresh();
          break;
        case 1:
          (void)world.memory_gate.claim_now({"c", world.open_epoch("c"), 0, {"user" + std::to_string(i)}});
          break;
        default:
          (void)world.change_stock("c", 1 + static_cast<std::int64_t>(random() % 12));
          break;
      }
      const auto row = world.sqlite->coupon("c");
      const auto state = world.memory_gate.state("c");
      if (!row || !state) continue;
      ASSERT_LE(state->stock, row->stock);
      ASSERT_LE(state->issued, row->stock);
    }
    world.faults.heal();
    (void)world.coupon_admin.create({"c", "drawn", 10, {}, {}, {}});
    ASSERT_TRUE(world.change_stock("c", 12));
    EXPECT_EQ(gate_stock(world), 12);
  }
}

TEST(CouponAdmin, AWindowBoundIsTakenAwayByAnEmptyOne) {
  World world;
  const Time later = now() + std::chrono::hours(1);
  ASSERT_TRUE(world.coupon_admin.create({"c", "later", 1, later, later + std::chrono::hours(1), {}}));
  EXPECT_EQ(world.claim("c", "a").decision, Decision::not_open);
  CouponChange change;
  change.opens_at.emplace(std::nullopt);
  ASSERT_TRUE(world.coupon_admin.change("c", change));
  EXPECT_FALSE(world.sqlite->coupon("c")->opens_at);
  EXPECT_TRUE(world.sqlite->coupon("c")->closes_at);
  EXPECT_EQ(world.claim("c", "a").decision, Decision::issued);
}

TEST(CouponAdmin, RefuseABadChange) {
  World world;
  world.create("c", 5);
  for (const std::int64_t bad : {std::int64_t{0}, stock_max + 1}) {
    EXPECT_EQ(world.change_stock("c", bad).error().code, Errc::invalid);
  }
  CouponChange change;
  change.opens_at.emplace(from_millis(2'000));
  change.closes_at.emplace(from_millis(1'000));
  EXPECT_EQ(world.coupon_admin.change("c", change).error().code, Errc::invalid);
  EXPECT_EQ(world.change_stock("nothing", 1).error().code, Errc::not_found);
}

TEST(CouponAdmin, ClosingIsForGoodAndMayBeRepeated) {
  World world;
  world.create("c", 5);
  world.claim("c", "a");
  ASSERT_TRUE(world.coupon_admin.close("c"));
  ASSERT_TRUE(world.coupon_admin.close("c"));
  EXPECT_EQ(world.claim("c", "b").decision, Decision::closed);
  EXPECT_EQ(world.claim("c", "a").decision, Decision::already_issued);
  ASSERT_TRUE(world.change_stock("c", 9));
  EXPECT_EQ(world.claim("c", "b").decision, Decision::closed);
}

TEST(CouponAdmin, AChangeOpensACouponThatWasNeverOpened) {
  World world;
  world.faults.fail("install", Fault::before);
  ASSERT_TRUE(world.coupon_admin.create({"c", "unlucky", 5, {}, {}, {}}));
  world.faults.heal();
  ASSERT_TRUE(world.change_stock("c", 3));
  EXPECT_EQ(gate_stock(world), 3);
  EXPECT_EQ(world.claim("c", "a").decision, Decision::issued);
}

}  // namespace
}  // namespace seonchak
