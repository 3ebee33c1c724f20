#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "store/testing/store_contract.hpp"

namespace seonchak {
namespace {

/// What core/ports/store.hpp promises to a recovery of the gate, of either store.
class StoreRecovery : public StoreContract {
 protected:
  void set_epochs(const std::string& id, Epoch epoch, Epoch settled) {
    ASSERT_TRUE(store_->update_coupon(id, [&](Coupon& row) -> Result<void> {
      row.epoch = epoch;
      row.settled = settled;
      return {};
    }));
  }

  static SaveBatch in_epochs(std::vector<IssuedEvent> events, std::vector<CouponEpoch> epochs) {
    SaveBatch batch = batch_of(std::move(events), {{0, 0, 1}});
    batch.epochs = std::move(epochs);
    return batch;
  }
};

INSTANTIATE_TEST_SUITE_P(Twins, StoreRecovery, store_twins(), twin_name);

TEST_P(StoreRecovery, SavesOnlyWhileEveryCouponIsInItsEpoch) {
  for (const char* id : {"a", "b"}) {
    ASSERT_TRUE(store_->create_coupon(coupon_named(id)));
    set_epochs(id, 2, 2);
  }
  const std::vector<IssuedEvent> both = {event("a", 1), event("b", 1)};
  EXPECT_EQ(store_->save(in_epochs(both, {{"a", 2}, {"b", 1}})).value(), SaveOutcome::superseded);
  EXPECT_EQ(store_->save(in_epochs(both, {{"a", 2}, {"gone", 2}})).value(), SaveOutcome::superseded);
  EXPECT_TRUE(sequences("a").empty());
  EXPECT_TRUE(positions().empty()) << "nothing of the batch was saved";
  EXPECT_EQ(store_->save(in_epochs(both, {{"a", 2}, {"b", 2}})).value(), SaveOutcome::saved);
  EXPECT_EQ(sequences("b"), (std::vector<Sequence>{1}));
}

TEST_P(StoreRecovery, FindsHoldersAmongUsers) {
  ASSERT_TRUE(store_->save(batch_of({event("a", 1), event("a", 2), event("b", 3)})));
  const std::vector<std::string> users = {"user2", "nobody", "user3", "user1"};
  auto found = store_->holders_among("a", users).value();
  std::ranges::sort(found, {}, &Holder::sequence);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].user_id, "user1");
  EXPECT_EQ(found[1].sequence, 2);
  EXPECT_TRUE(store_->holders_among("a", {}).value().empty());
}

TEST_P(StoreRecovery, HearsRecordersOnlyDuringTheirRecovery) {
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  const KnownClaim one{{"u", 7, from_millis(1'700'000'000'007)}, 1};
  const KnownClaim two{{"v", 8, from_millis(1'700'000'000'008)}, 1};
  set_epochs("a", 1, 1);
  EXPECT_FALSE(store_->record_unsaved("a", 1, "p", {&one, 1}).value());
  set_epochs("a", 2, 1);
  EXPECT_FALSE(store_->record_unsaved("a", 1, "p", {&one, 1}).value()) << "of an epoch before";
  EXPECT_FALSE(store_->record_unsaved("gone", 2, "p", {&one, 1}).value());
  EXPECT_TRUE(store_->record_unsaved("a", 2, "p", {&one, 1}).value());
  EXPECT_TRUE(store_->record_unsaved("a", 2, "q", std::vector<KnownClaim>{one, two}).value());
  auto heard = store_->recorded_claims("a").value();
  std::ranges::sort(heard, {}, [](const KnownClaim& claim) { return claim.holder.sequence; });
  EXPECT_EQ(heard, (std::vector<KnownClaim>{one, two}));
  EXPECT_TRUE(store_->recorded_claims("b").value().empty());
  EXPECT_EQ(store_->recorded_claim_count("a").value(), 2);
  EXPECT_EQ(store_->recorded_claim_count("b").value(), 0);
  for (const Epoch epoch : {1, 2}) {
    ASSERT_TRUE(store_->forget_recorded("a", epoch));
    EXPECT_EQ(store_->recorded_claims("a").value().size(), 2U) << "it is the recovery's that is under way";
  }
  set_epochs("a", 2, 2);
  ASSERT_TRUE(store_->forget_recorded("a", 2));
  EXPECT_TRUE(store_->recorded_claims("a").value().empty());
}

TEST_P(StoreRecovery, APieceOfARecordingIsBounded) {
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  set_epochs("a", 2, 1);
  std::vector<KnownClaim> claims;
  for (std::size_t i = 0; i <= claims_piece_max; ++i) {
    const Sequence sequence = static_cast<int>(i) + 1;
    claims.push_back({{"user" + std::to_string(i), sequence, from_millis(1'700'000'000'000)}, 1});
  }
  EXPECT_EQ(store_->record_unsaved("a", 2, "p", claims).error().code, Errc::invalid);
  claims.pop_back();
  EXPECT_TRUE(store_->record_unsaved("a", 2, "p", claims).value());
  EXPECT_EQ(store_->recorded_claim_count("a").value(), static_cast<std::int64_t>(claims_piece_max));
}

TEST_P(StoreRecovery, KnowsWhoIsStillRecording) {
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  const KnownClaim claim{{"u", 7, from_millis(1'700'000'000'007)}, 1};
  set_epochs("a", 2, 2);
  EXPECT_FALSE(store_->begin_recording("a", 2, "p").value()) << "the coupon is open";
  set_epochs("a", 2, 1);
  EXPECT_FALSE(store_->begin_recording("a", 1, "p").value()) << "of an epoch before";
  EXPECT_FALSE(store_->begin_recording("gone", 2, "p").value());
  EXPECT_TRUE(store_->recordings("a", 2).value().empty());

  for (const char* process : {"p", "q"}) EXPECT_TRUE(store_->begin_recording("a", 2, process).value());
  for (int piece = 0; piece < 2; ++piece)
    EXPECT_TRUE(store_->record_unsaved("a", 2, "q", {&claim, 1}).value());
  EXPECT_TRUE(store_->begin_recording("a", 2, "q").value()) << "repeated, and nothing is forgotten";
  EXPECT_TRUE(store_->record_unsaved("a", 2, "r", {&claim, 1}).value()) << "without an announcement";
  auto found = store_->recordings("a", 2).value();
  std::ranges::sort(found, {}, &Recording::process);
  EXPECT_EQ(found, (std::vector<Recording>{{"p", 0}, {"q", 2}}));
  EXPECT_TRUE(store_->recordings("a", 1).value().empty());
  ASSERT_TRUE(store_->end_recording("a", 2, "q"));
  ASSERT_TRUE(store_->end_recording("a", 2, "nobody"));
  EXPECT_EQ(store_->recordings("a", 2).value(), (std::vector<Recording>{{"p", 0}}));
  set_epochs("a", 2, 2);
  ASSERT_TRUE(store_->forget_recorded("a", 2));
  EXPECT_TRUE(store_->recordings("a", 2).value().empty()) << "the one that died is forgotten with the rest";
}

TEST_P(StoreRecovery, FencesManyCouponsAsTheyWereSeen) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store_->create_coupon(coupon_named(id)));
  set_epochs("a", 2, 2);
  set_epochs("b", 5, 5);
  const Coupon a = store_->coupon("a").value();
  const Coupon c = store_->coupon("c").value();
  const std::vector<CouponFence> fences = {{"c", c.epoch, c.gate, 8, "new"},
                                           {"b", 4, a.gate, 6, "new"},
                                           {"gone", 1, "", 2, "new"},
                                           {"a", 2, a.gate, 3, "new"}};
  const auto result = store_->fence_coupons(fences).value();
  EXPECT_TRUE(result.held.empty());
  auto fenced = result.changed;
  std::ranges::sort(fenced, {}, &Coupon::id);
  ASSERT_EQ(fenced.size(), 2U) << "one is in another epoch, one is gone";
  EXPECT_EQ(fenced[0].id, "a");
  EXPECT_EQ(fenced[0].epoch, 3);
  EXPECT_EQ(fenced[0].settled, 2);
  EXPECT_EQ(fenced[0].gate, "new");
  EXPECT_EQ(fenced[0].name, a.name);
  EXPECT_EQ(fenced[1].id, "c");
  EXPECT_NE(fenced[0].revision, fenced[1].revision);
  EXPECT_EQ(store_->coupon("b").value().epoch, 5);
  std::set<std::string> changed;
  const Revision before = store_->coupon("b").value().revision;
  for (const Coupon& row : store_->coupons_since(before, 10).value()) changed.insert(row.id);
  EXPECT_EQ(changed, (std::set<std::string>{"a", "c"}));
  const auto again = store_->fence_coupons(fences).value();
  EXPECT_TRUE(again.changed.empty()) << "they are not as seen any more";
  EXPECT_TRUE(again.held.empty());
  EXPECT_TRUE(store_->fence_coupons({}).value().changed.empty());
}

}  // namespace
}  // namespace seonchak
