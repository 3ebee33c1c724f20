#include "core/admin/unsaved_coupons.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using Ids = std::vector<std::string>;

/// The pipeline, in time run by hand.
struct Listing {
  HandTime time;
  World world;
  MemoryLog log;

  Ids list(UnsavedCouponsOptions options = {}) { return list_after({}, options); }

  /// Of a process that has looked at everything there is.
  Ids list_after(const Ids& first, UnsavedCouponsOptions options = {}) {
    UnsavedCoupons unsaved(world.gate, world.catalog, options);
    for (int i = 0; i < 5; ++i) {
      (void)unsaved.list(first);
      time.passed += options.look_period;
    }
    return unsaved.list(first);
  }

  void save_all() {
    RelayLife(world, log).drain();
    ConsumerLife(world, log).steps(5);
  }
};

TEST(UnsavedCoupons, AreAllOfWhichSomebodyMayGetOne) {
  Listing test;
  for (const char* id : {"a", "b", "c"}) test.world.create(id, 2);
  EXPECT_EQ(test.list(), (Ids{"c", "b", "a"})) << "the latest changed first";
  ASSERT_TRUE(test.world.change_stock("a", 3));
  EXPECT_EQ(test.list(), (Ids{"a", "c", "b"}));
}

TEST(UnsavedCoupons, AClosedOneIsAmongThemUntilAllIsSaved) {
  Listing test;
  test.world.create("c", 5);
  test.world.claim("c", "kim");
  ASSERT_TRUE(test.world.coupon_admin.close("c"));
  EXPECT_EQ(test.list(), Ids{"c"});
  EXPECT_EQ(test.world.coupon_admin.coupons_of("kim")->size(), 1U);
  test.save_all();
  EXPECT_EQ(test.list(), Ids{});
  EXPECT_EQ(test.world.coupon_admin.coupons_of("kim")->size(), 1U);
}

TEST(UnsavedCoupons, ASoldOutOneIsAmongThemUntilAllIsSavedAndAgainWithMoreStock) {
  Listing test;
  test.world.create("c", 1);
  test.world.claim("c", "kim");
  EXPECT_EQ(test.list(), Ids{"c"});
  test.save_all();
  UnsavedCoupons unsaved(test.world.gate, test.world.catalog);
  EXPECT_EQ(unsaved.list({}), Ids{});
  ASSERT_TRUE(test.world.change_stock("c", 2));
  EXPECT_EQ(unsaved.list({}), Ids{"c"});
  test.time.passed += 1s;
  EXPECT_EQ(unsaved.list({}), Ids{"c"});
}

TEST(UnsavedCoupons, AWindowThatHasEndedCounts) {
  Listing test;
  ASSERT_TRUE(test.world.coupon_admin.create({"c", "brief", 5, {}, test.time.wall() + 10s, {}}));
  EXPECT_EQ(test.list(), Ids{"c"});
  test.time.passed += 10s;
  EXPECT_EQ(test.list(), Ids{});
}

TEST(UnsavedCoupons, AGateThatDoesNotAnswerRulesNothingOut) {
  Listing test;
  test.world.create("c", 5);
  ASSERT_TRUE(test.world.coupon_admin.close("c"));
  test.world.faults.fail("states", Fault::before);
  EXPECT_EQ(test.list(), Ids{"c"});
  test.world.faults.heal();
  EXPECT_EQ(test.list(), Ids{});
}

TEST(UnsavedCoupons, AreNoMoreThanTheLimitThoseNamedFirst) {
  Listing test;
  for (const char* id : {"a", "b", "c", "d"}) test.world.create(id, 2);
  EXPECT_EQ(test.list_after({"a", "a", "b"}, {.listed_max = 3}), (Ids{"a", "b", "d"}));
}

// What is asked of the gate does not grow with the coupons there have been.
TEST(UnsavedCoupons, CostTheGateNothingOnceTheyAreOver) {
  Listing test;
  for (int i = 0; i < 20; ++i) {
    test.world.create("old" + std::to_string(i), 1);
    ASSERT_TRUE(test.world.coupon_admin.close("old" + std::to_string(i)));
  }
  UnsavedCoupons unsaved(test.world.gate, test.world.catalog, {.looked_at_max = 6});
  for (int i = 0; i < 4; ++i) {
    (void)unsaved.list({});
    (void)unsaved.list({});
    test.time.passed += 250ms;
  }
  EXPECT_EQ(unsaved.list({}), Ids{});
  const auto asked = test.world.faults.calls("states");
  for (int i = 0; i < 10; ++i) {
    test.time.passed += 1s;
    (void)unsaved.list({});
  }
  EXPECT_EQ(test.world.faults.calls("states"), asked);
}

}  // namespace
}  // namespace seonchak
