#include <gtest/gtest.h>

#include "core/testing/issuer.hpp"

namespace seonchak {
namespace {

TEST(IssuerUnknownCoupon, IsNotFoundAfterOneRefresh) {
  Issuing world;
  ASSERT_TRUE(world.catalog.start());
  const std::size_t before = world.faults.calls("coupons_since");
  world.ask_in_this_turn("nothing", "a");
  EXPECT_TRUE(world.answers.empty());
  ASSERT_TRUE(world.answered(1));
  EXPECT_EQ(world.answers, (Answers{"a not_found"}));
  EXPECT_EQ(world.faults.calls("coupons_since"), before + 1);
  EXPECT_TRUE(world.slow.held.empty());
}

TEST(IssuerUnknownCoupon, ManyMissesShareARefresh) {
  Issuing world;
  const std::size_t before = world.faults.calls("coupons_since");
  for (int i = 0; i < 1'000; ++i) world.ask("nothing", "user" + std::to_string(i));
  ASSERT_TRUE(world.catalog.start());
  ASSERT_TRUE(world.answered(1'000));
  EXPECT_EQ(world.faults.calls("coupons_since"), before + 2) << "the first load, and one for all of them";
}

TEST(IssuerUnknownCoupon, MadeByAnotherProcessAMomentAgoIsFound) {
  Issuing world;
  ASSERT_TRUE(world.catalog.start());
  Elsewhere elsewhere(world.store, world.gate);
  CouponAdmin other(world.store, world.store, world.gate, elsewhere.catalog, elsewhere.propagator, {});
  ASSERT_TRUE(other.create({"c", "new", 5, {}, {}, {}}));

  world.ask("c", "a");
  ASSERT_TRUE(world.loop.run_until([&] { return !world.slow.held.empty(); }));
  world.answer_all();
  EXPECT_EQ(world.answers, (Answers{"a issued 1"}));
}

TEST(IssuerUnknownCoupon, OnlyInsertedByAProcessThatDiedIsOpenedAndIssued) {
  Issuing world;
  ASSERT_TRUE(world.catalog.start());
  Coupon coupon;
  coupon.id = "c";
  coupon.name = "orphan";
  coupon.stock = 5;
  coupon.created_at = now();
  ASSERT_TRUE(world.sqlite->create_coupon(coupon));

  world.ask("c", "a");
  ASSERT_TRUE(world.answered(1));
  EXPECT_EQ(world.answers, (Answers{"a gate_missing"})) << "nobody waits for the gate to be opened";
  world.propagate();
  world.ask("c", "a");
  world.answer_all();
  EXPECT_EQ(world.answers.back(), "a issued 1");
}

TEST(IssuerUnknownCoupon, NotYetOpenInTheGateFailsClosed) {
  Issuing world;
  world.faults.fail("install", Fault::before);
  ASSERT_TRUE(world.coupon_admin.create({"c", "unlucky", 5, {}, {}, {}}));
  ASSERT_TRUE(world.catalog.start());
  world.ask("c", "a");
  ASSERT_TRUE(world.answered(1));
  EXPECT_EQ(world.answers, (Answers{"a gate_missing"}));

  world.faults.heal();
  world.propagate();
  world.ask("c", "b");
  world.answer_all();
  EXPECT_EQ(world.answers.back(), "b issued 1");
}

TEST(IssuerUnknownCoupon, NoMoreWaitForARefreshThanTheLimit) {
  Issuing world;
  Catalog small(world.store, {.misses_max = 2});
  std::vector<Result<void>> told;
  for (int i = 0; i < 3; ++i)
    small.refresh_then([&](const Result<void>& outcome) { told.push_back(outcome); });
  ASSERT_EQ(told.size(), 1U) << "the third is told at once";
  EXPECT_EQ(told.front().error().code, Errc::overloaded);
}

TEST(IssuerUnknownCoupon, IsNeverCalledUnknownWhileTheStoreDoesNotAnswer) {
  Issuing world;
  ASSERT_TRUE(world.catalog.start());
  world.faults.fail("coupons_since", Fault::before);
  world.ask("c", "a");
  ASSERT_TRUE(world.answered(1));
  EXPECT_EQ(world.answers, (Answers{"a unavailable"}));
}

TEST(IssuerUnknownCoupon, IsAnsweredEvenWhenTheCatalogHasStopped) {
  Issuing world;
  ASSERT_TRUE(world.catalog.start());
  world.catalog.stop();
  world.ask("c", "a");
  ASSERT_TRUE(world.answered(1));
  EXPECT_EQ(world.answers, (Answers{"a unavailable"}));
  EXPECT_EQ(world.issuer.in_flight(), 0U);
}

}  // namespace
}  // namespace seonchak
