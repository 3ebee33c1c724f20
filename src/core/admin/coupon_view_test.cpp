#include <gtest/gtest.h>

#include "core/admin/coupon_admin.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

TEST(CouponStatus, FollowsThePrecedenceOfADecision) {
  GateState state;
  state.stock = 1;
  state.now = from_millis(1'000);
  EXPECT_EQ(status_of({{}, state}), CouponStatus::open);
  state.issued = 1;
  EXPECT_EQ(status_of({{}, state}), CouponStatus::sold_out);
  state.opens_at = from_millis(2'000);
  EXPECT_EQ(status_of({{}, state}), CouponStatus::scheduled);
  state.closed = true;
  EXPECT_EQ(status_of({{}, state}), CouponStatus::closed);
}

TEST(CouponStatus, ComesFromTheRowWhenTheGateDoesNotAnswer) {
  Coupon coupon;
  coupon.stock = 1;
  EXPECT_EQ(status_of({coupon, {}}), CouponStatus::open);
  coupon.opens_at = now() + std::chrono::hours(1);
  EXPECT_EQ(status_of({coupon, {}}), CouponStatus::scheduled);
  coupon.closed = true;
  EXPECT_EQ(status_of({coupon, {}}), CouponStatus::closed);
}

TEST(CouponAdmin, ShowTheGatesNumbersAndDoWithoutThem) {
  World world;
  world.create("c", 5);
  world.claim("c", "a");
  EXPECT_EQ(world.coupon_admin.show("c")->gate->issued, 1);
  world.faults.fail("state", Fault::before);
  const auto view = world.coupon_admin.show("c");
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->gate);
  EXPECT_EQ(view->coupon.stock, 5);
}

TEST(CouponAdmin, ShowACouponThatTheCatalogHasNotSeenYet) {
  World world;
  Elsewhere elsewhere(world.store, world.gate);
  CouponAdmin other(world.store, world.store, world.gate, elsewhere.catalog, elsewhere.propagator, {});
  ASSERT_TRUE(other.create({"c", "new", 5, {}, {}, {}}));
  EXPECT_EQ(world.coupon_admin.show("c")->coupon.name, "new");
  EXPECT_EQ(world.coupon_admin.show("nothing").error().code, Errc::not_found);
}

TEST(CouponAdmin, ListCouponsByPage) {
  World world;
  for (const char* id : {"c", "a", "b"}) world.create(id, 1);
  const auto first = world.coupon_admin.list("", 2);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(first->at(0).id, "a");
  const auto second = world.coupon_admin.list("b", 2);
  ASSERT_EQ(second->size(), 1U);
  EXPECT_EQ(second->at(0).id, "c");
}

TEST(CouponAdmin, AUsersCouponsAreThoseSavedAndThosePending) {
  World world;
  for (const char* id : {"saved", "pending", "other"}) world.create(id, 5);
  const Claim saved = world.claim("saved", "kim");
  const Claim pending = world.claim("pending", "kim");
  world.claim("other", "lee");
  const IssuedEvent event{"saved", "kim", saved.sequence, saved.issued_at, 1};
  ASSERT_TRUE(world.sqlite->save({"g", "t", {event}, {}}));

  const auto held = world.coupon_admin.coupons_of("kim").value();
  ASSERT_EQ(held.size(), 2U);
  for (const HeldCoupon& coupon : held) {
    EXPECT_EQ(coupon.persisted, coupon.coupon_id == "saved");
    EXPECT_EQ(coupon.sequence, 1);
  }
  EXPECT_GE(held.at(0).issued_at, held.at(1).issued_at) << "newest first";
  EXPECT_EQ(pending.sequence, 1);
}

TEST(CouponAdmin, AUsersCouponsAreNotGuessedWithoutTheGateOrTheStore) {
  World world;
  world.faults.fail("holdings", Fault::before, 1);
  EXPECT_EQ(world.coupon_admin.coupons_of("kim").error().code, Errc::unavailable);
  world.faults.fail("coupons_of_user", Fault::before, 1);
  EXPECT_EQ(world.coupon_admin.coupons_of("kim").error().code, Errc::unavailable);
  EXPECT_TRUE(world.coupon_admin.coupons_of("kim"));
}

TEST(CouponAdmin, AUsersCouponsAreNoMoreThanTheLimit) {
  World world;
  CouponAdmin brief(world.store, world.store, world.gate, world.catalog, world.propagator,
                    {.user_coupons_max = 2});
  for (const char* id : {"a", "b", "c"}) {
    world.create(id, 5);
    world.claim(id, "kim");
  }
  EXPECT_EQ(brief.coupons_of("kim")->size(), 2U);
}

}  // namespace
}  // namespace seonchak
