#include "core/claims/late_claims.hpp"

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

struct Late : World {
  Late() : late(store, gate, catalog, metrics, {no_wait, no_wait}) {}

  void keep(const std::string& coupon_id, const std::string& user, Sequence sequence) {
    SaveBatch batch;
    batch.late.push_back({coupon_id, {{user, sequence, now()}, 0}});
    EXPECT_EQ(sqlite->save(batch).value(), SaveOutcome::saved);
  }
  void decide_all() {
    (void)catalog.refresh();
    for (int i = 0; i < 20; ++i) {
      late.look();
      (void)late.decide();
    }
  }
  bool waits(const std::string& coupon_id) { return !sqlite->late_claims(coupon_id, {}, 1)->empty(); }

  LateClaims late;
};

TEST(LateClaims, GoByWhatTheGateSays) {
  Late world;
  world.create("c", 4);
  ASSERT_EQ(world.claim("c", "known").sequence, 1);
  ASSERT_EQ(world.claim("c", "moved").sequence, 2);
  world.keep("c", "known", 1);
  world.keep("c", "moved", 7);
  world.keep("c", "second", 9);
  world.keep("c", "first", 8);
  world.keep("c", "refused", 10);
  world.decide_all();
  EXPECT_FALSE(world.waits("c"));
  EXPECT_EQ(world.saved_sequences("c"), one_to(1)) << "the others come through the outbox";
  EXPECT_EQ(world.claim("c", "first").sequence, 3) << "in order of sequence";
  EXPECT_EQ(world.claim("c", "second").sequence, 4);
  EXPECT_EQ(world.claim("c", "refused").decision, Decision::sold_out);
  EXPECT_NE(world.metrics.text().find("seonchak_lost_holders_total 1"), std::string::npos);
}

TEST(LateClaims, OfACouponThatCannotBeUsedWaitAndOthersGoOn) {
  Late world;
  world.create("a", 4);
  world.create("b", 4);
  world.create("c", 4);
  world.memory_gate.forget("a");
  world.sqlite
      ->update_coupon("b",
                      [](Coupon& row) -> Result<void> {
                        ++row.epoch;
                        return {};
                      })
      .value();
  for (const char* id : {"a", "b", "c"}) world.keep(id, "u", 5);
  world.decide_all();
  EXPECT_TRUE(world.waits("a")) << "the gate has nothing of it";
  EXPECT_TRUE(world.waits("b")) << "it is being recovered";
  EXPECT_FALSE(world.waits("c"));
}

TEST(LateClaims, OfADeletedCouponAreLost) {
  Late world;
  world.keep("gone", "u", 5);
  world.decide_all();
  EXPECT_FALSE(world.waits("gone"));
}

TEST(LateClaims, AreDecidedAgainAfterAnOutage) {
  Late world;
  world.create("c", 4);
  ASSERT_EQ(world.claim("c", "known").sequence, 1);
  world.keep("c", "known", 1);
  for (const char* call : {"save", "holders_of", "late_claims", "forget_late_claims"})
    world.faults.fail(call, Fault::after, 2);
  world.decide_all();
  EXPECT_FALSE(world.waits("c"));
  EXPECT_EQ(world.saved_sequences("c"), one_to(1));
}

}  // namespace
}  // namespace seonchak
