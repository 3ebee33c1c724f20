#include "core/catalog/renew_revision.hpp"

#include <gtest/gtest.h>

#include "core/model/gate_config.hpp"
#include "core/testing/rows.hpp"
#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

/// A coupon "c" that is open, and whose row can be set back.
struct FallenBack {
  explicit FallenBack(std::int64_t stock = 10) {
    Coupon& row = store.put("c", 100);
    row.stock = stock;
    row.epoch = row.settled = 1;
    row.gate = world.memory_gate.identity("c")->name();
    EXPECT_TRUE(world.memory_gate.install(committed(row)));
    before = row;
    EXPECT_TRUE(elsewhere.refresh());
  }

  void change_stock(std::int64_t stock) {
    CouponChange change;
    change.stock = stock;
    ASSERT_TRUE(admin.change("c", change));
  }
  void set_back() { store.rows["c"] = before; }
  void issue(int first, int end) {
    for (int i = first; i < end; ++i)
      ASSERT_TRUE(world.memory_gate.claim_now({"c", 1, 0, {"u" + std::to_string(i)}}));
  }
  GateState gate() { return world.memory_gate.state("c").value(); }
  /// The catalog compares, and the propagator tells the gate.
  void notice() {
    time.passed += std::chrono::seconds(5);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(elsewhere.refresh());
  }

  HandTime time;
  World world;
  RowStore store{*world.sqlite, world.faults};
  Elsewhere elsewhere{store, world.gate};
  CouponAdmin admin{
      store, store, world.gate, elsewhere.catalog, elsewhere.propagator, {.loosening_delay = no_wait}};
  Coupon before;
};

TEST(RenewRevision, TheGateTakesOverARowThatWasSetBack) {
  FallenBack test;
  test.change_stock(20);
  ASSERT_TRUE(test.admin.close("c"));
  test.set_back();
  test.notice();
  EXPECT_EQ(test.gate().stock, 10);
  EXPECT_FALSE(test.gate().closed);
  EXPECT_TRUE(has_exactly(test.gate(), test.store.rows["c"]));
  EXPECT_EQ(test.elsewhere.propagator.pending(), 0U);
}

TEST(RenewRevision, WhatIsIssuedBecomesTheStockAndNoMore) {
  FallenBack test(5);
  test.change_stock(12);
  test.issue(0, 9);
  test.set_back();
  test.notice();
  EXPECT_EQ(test.store.rows["c"].stock, 9);
  EXPECT_EQ(test.gate().stock, 9);
  test.issue(9, 12);
  EXPECT_EQ(test.gate().issued, 9);
}

TEST(RenewRevision, WhatIsIssuedMeanwhileCounts) {
  FallenBack test(5);
  test.change_stock(12);
  test.issue(0, 6);
  test.set_back();
  int next = 6;
  test.world.faults.on_call = [&](const std::string& call) {
    if (call == "configure" && next < 8) test.issue(next, next + 1), ++next;
  };
  test.notice();
  EXPECT_EQ(test.store.rows["c"].stock, 8);
  EXPECT_EQ(test.gate().stock, 8);
}

TEST(RenewRevision, AChangeThatIsAnsweredHasEffect) {
  FallenBack test;
  test.change_stock(20);
  test.change_stock(15);
  test.set_back();
  ASSERT_TRUE(test.admin.close("c"));
  EXPECT_TRUE(test.gate().closed);
  EXPECT_EQ(test.gate().stock, 10);

  test.set_back();
  test.change_stock(4);
  EXPECT_EQ(test.gate().stock, 4);
  EXPECT_FALSE(test.gate().closed);
  EXPECT_TRUE(has_exactly(test.gate(), test.store.rows["c"]));
}

TEST(RenewRevision, IsNeedlessOnceSomebodyElseWasFaster) {
  FallenBack test;
  test.change_stock(20);
  test.set_back();
  const auto renewed = renew_revision(test.store, test.world.gate, "c");
  ASSERT_TRUE(renewed);
  const auto again = renew_revision(test.store, test.world.gate, "c");
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *renewed);
}

TEST(RenewRevision, LeavesAnotherEpochToTheRecovery) {
  FallenBack test;
  test.store.rows["c"].epoch = 2;
  EXPECT_EQ(renew_revision(test.store, test.world.gate, "c").error().code, Errc::gate_epoch);
  EXPECT_EQ(renew_revision(test.store, test.world.gate, "none").error().code, Errc::not_found);
}

TEST(RenewRevision, ACouponThatIsGoneIsNoPropagatorsAnyMore) {
  FallenBack test;
  test.world.faults.fail("configure", Fault::before);
  CouponChange change;
  change.stock = 20;
  EXPECT_FALSE(test.admin.change("c", change));
  EXPECT_EQ(test.elsewhere.propagator.pending(), 1U);
  test.store.rows.clear();
  test.notice();
  EXPECT_EQ(test.elsewhere.propagator.pending(), 0U);
}

}  // namespace
}  // namespace seonchak
