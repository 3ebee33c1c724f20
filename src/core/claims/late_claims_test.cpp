#include "core/claims/late_claims.hpp"

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

struct Late : World {
  explicit Late(LateClaimsOptions options = {})
      : late(store, gate, catalog, metrics, without_pauses(std::move(options))) {}

  static LateClaimsOptions without_pauses(LateClaimsOptions options) {
    options.period = options.retry = no_wait;
    return options;
  }

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
  bool waits(const std::string& coupon_id) { return !waiting_users(coupon_id).empty(); }
  std::vector<std::string> waiting_users(const std::string& coupon_id) {
    std::vector<std::string> users;
    for (const KnownClaim& claim : sqlite->late_claims(coupon_id, {}, 100).value())
      users.push_back(claim.holder.user_id);
    return users;
  }
  /// As the consumer does once it has the rows.
  void persist(const std::string& coupon_id, Sequence sequence) {
    const Watermark watermark{coupon_id, sequence, memory_gate.state(coupon_id)->epoch};
    ASSERT_TRUE(memory_gate.raise_persisted({&watermark, 1}).front());
  }

  LateClaims late;
};

TEST(LateClaims, GoByWhatTheGateSays) {
  Late world;
  world.create("c", 4);
  ASSERT_EQ(world.claim("c", "known").sequence, 1);
  ASSERT_EQ(world.claim("c", "moved").sequence, 2);
  world.persist("c", 2);
  world.keep("c", "known", 1);
  world.keep("c", "moved", 7);
  world.keep("c", "second", 9);
  world.keep("c", "first", 8);
  world.keep("c", "refused", 10);
  world.decide_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(1)) << "the others come through the outbox";
  EXPECT_EQ(world.claim("c", "first").sequence, 3) << "in order of sequence";
  EXPECT_EQ(world.claim("c", "second").sequence, 4);
  EXPECT_EQ(world.claim("c", "refused").decision, Decision::sold_out);
  EXPECT_NE(world.metrics.text().find("seonchak_lost_holders_total 1"), std::string::npos);
  EXPECT_EQ(world.waiting_users("c"), (std::vector<std::string>{"first", "second"}))
      << "until they have rows";
  world.persist("c", 4);
  world.decide_all();
  EXPECT_FALSE(world.waits("c"));
}

// Saved or forgotten before, it would be missed by the log, or by all, should the gate be lost once more.
TEST(LateClaims, OfAHolderWaitUntilHisOwnEventIsSaved) {
  Late world({.claims_max = 1});
  world.create("c", 9);
  for (const int sequence : {1, 2, 3}) {
    const std::string user = "u" + std::to_string(sequence);
    ASSERT_EQ(world.claim("c", user).sequence, sequence);
    world.keep("c", user, sequence);
  }
  world.keep("c", "late", 4);
  world.decide_all();
  EXPECT_TRUE(world.saved_sequences("c").empty());
  EXPECT_EQ(world.claim("c", "late").decision, Decision::already_issued) << "those before hold up nobody";
  EXPECT_EQ(world.waiting_users("c").size(), 4U);
  world.persist("c", 2);
  world.decide_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(2)) << "a store that fell back may lack them";
  EXPECT_EQ(world.waiting_users("c"), (std::vector<std::string>{"u3", "late"}));
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
  EXPECT_EQ(world.claim("c", "u").decision, Decision::already_issued);
  world.persist("c", 1);
  world.decide_all();
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
  world.persist("c", 1);
  world.keep("c", "known", 1);
  for (const char* call : {"save", "holders_of", "late_claims", "forget_late_claims"})
    world.faults.fail(call, Fault::after, 2);
  world.decide_all();
  EXPECT_FALSE(world.waits("c"));
  EXPECT_EQ(world.saved_sequences("c"), one_to(1));
}

}  // namespace
}  // namespace seonchak
