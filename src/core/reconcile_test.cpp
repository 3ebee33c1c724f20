#include "core/reconcile.hpp"

#include <gtest/gtest.h>

#include "core/world_fixture.hpp"

namespace seonchak {
namespace {

IssuedEvent event_of(const std::string& coupon_id, std::int64_t sequence) {
  return {coupon_id, "user", sequence, now(), 1};
}

TEST(Reconciler, AsksForAllCouponsAtOnceAfterAReassignment) {
  World world;
  const std::vector<std::string> ids = {"c", "d", "e"};
  for (const std::string& id : ids) {
    world.create(id, 10);
    world.issue(id, 3);
    const Mark saved{id, 2, 1};
    ASSERT_TRUE(world.memory_gate.mark_persisted({&saved, 1}).front());
  }
  Reconciler reconciler(world.store, world.gate, world.metrics);
  ASSERT_TRUE(reconciler.reconcile(*world.catalog.snapshot(), {"group", "topic"}, false));
  reconciler.forget();
  const std::size_t before = world.faults.calls("progress");
  for (const std::string& id : ids) EXPECT_EQ(reconciler.handled(event_of(id, 3)), (Mark{id, 3, 1}));
  EXPECT_EQ(world.faults.calls("progress"), before + 1);
  EXPECT_FALSE(reconciler.found_gap());
}

TEST(Reconciler, ACouponThatNobodyHasLookedAtIsAskedForByItself) {
  World world;
  world.create("c", 10);
  world.issue("c", 1);
  Reconciler reconciler(world.store, world.gate, world.metrics);
  EXPECT_EQ(reconciler.handled(event_of("c", 1)), (Mark{"c", 1, 1}));
  EXPECT_EQ(reconciler.handled(event_of("c", 2)), (Mark{"c", 2, 1}));
  EXPECT_EQ(world.faults.calls("progress"), 1U);
}

TEST(Reconciler, WithoutTheGatesAnswerNothingIsKnownToBeSaved) {
  World world;
  world.create("c", 10);
  world.issue("c", 3);
  Reconciler reconciler(world.store, world.gate, world.metrics);
  world.faults.fail("progress", Fault::before);
  EXPECT_EQ(reconciler.handled(event_of("c", 3)), std::nullopt);
  EXPECT_TRUE(reconciler.found_gap());
}

}  // namespace
}  // namespace seonchak
