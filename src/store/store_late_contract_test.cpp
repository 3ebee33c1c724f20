#include <gtest/gtest.h>

#include "store/testing/store_contract.hpp"

namespace seonchak {
namespace {

/// What core/ports/store.hpp promises of late claims, of either store.
class StoreLateClaims : public StoreContract {
 protected:
  using Claims = std::vector<KnownClaim>;

  static KnownClaim claim(Sequence sequence, Epoch epoch, const std::string& user) {
    return {{user, sequence, from_millis(1'700'000'000'000 + sequence.value())}, epoch};
  }

  static SaveBatch late_batch(const std::string& coupon_id, const Claims& claims,
                              std::vector<PositionChange> positions = {}) {
    SaveBatch batch = batch_of({}, std::move(positions));
    for (const KnownClaim& each : claims) batch.late.push_back({coupon_id, each});
    return batch;
  }

  Claims all(const std::string& coupon_id) { return store_->late_claims(coupon_id, {}, 1'000).value(); }
  std::vector<std::string> coupons() { return store_->coupons_with_late_claims("", 1'000).value(); }
};

INSTANTIATE_TEST_SUITE_P(Twins, StoreLateClaims, store_twins(), twin_name);

TEST_P(StoreLateClaims, ComeBackInOrderOfSequenceAndInPages) {
  const Claims in_order = {claim(2, 1, "v"), claim(2, 1, "w"), claim(2, 3, "a"), claim(10, 1, "u")};
  const Claims given = {in_order[3], in_order[0], in_order[2], in_order[1]};
  ASSERT_EQ(store_->save(late_batch("a", given)).value(), SaveOutcome::saved);
  EXPECT_EQ(all("a"), in_order);
  Claims paged;
  KnownClaim after;
  for (;;) {
    const auto page = store_->late_claims("a", after, 1).value();
    if (page.empty()) break;
    ASSERT_EQ(page.size(), 1U);
    paged.push_back(page.front());
    after = page.front();
  }
  EXPECT_EQ(paged, in_order);
  EXPECT_TRUE(all("b").empty());
  reopen();
  EXPECT_EQ(all("a"), in_order);
}

TEST_P(StoreLateClaims, ASavedOneIsSavedOnce) {
  KnownClaim repeated = claim(2, 1, "v");
  repeated.holder.issued_at += std::chrono::seconds(1);
  ASSERT_TRUE(store_->save(late_batch("a", {claim(2, 1, "v"), repeated})));
  ASSERT_TRUE(store_->save(late_batch("a", {repeated})));
  EXPECT_EQ(all("a"), (Claims{claim(2, 1, "v")}));
}

TEST_P(StoreLateClaims, AreCommittedWithRowsAndPositionsOrNotAtAll) {
  SaveBatch batch = late_batch("late", {claim(1, 1, "u")}, {{0, 0, 3}});
  batch.events = {event("a", 1)};
  ASSERT_EQ(store_->save(batch).value(), SaveOutcome::saved);
  EXPECT_EQ(all("late").size(), 1U);
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{1}));
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 3}}));

  EXPECT_EQ(store_->save(late_batch("late", {claim(2, 1, "v")}, {{0, 1, 4}})).value(), SaveOutcome::fenced);
  SaveBatch superseded = late_batch("late", {claim(2, 1, "v")}, {{0, 3, 4}});
  superseded.epochs = {{"gone", 1}};
  EXPECT_EQ(store_->save(superseded).value(), SaveOutcome::superseded);
  SaveBatch rejected = late_batch("late", {claim(2, 1, "v")}, {{0, 3, 4}});
  rejected.events = {event("a", 1, "somebody else")};
  EXPECT_EQ(store_->save(rejected).error().code, Errc::rejected);
  EXPECT_EQ(all("late").size(), 1U);
  EXPECT_TRUE(sequences("late").empty()) << "they are no rows";
}

TEST_P(StoreLateClaims, TellWhichCouponsHaveAny) {
  EXPECT_TRUE(coupons().empty());
  for (const char* id : {"c", "a", "b"}) {
    ASSERT_TRUE(store_->save(late_batch(id, {claim(1, 1, "u"), claim(2, 1, "v")})));
  }
  EXPECT_EQ(coupons(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(store_->coupons_with_late_claims("", 2).value(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(store_->coupons_with_late_claims("b", 2).value(), (std::vector<std::string>{"c"}));
  EXPECT_TRUE(store_->coupons_with_late_claims("", 0).value().empty());
}

TEST_P(StoreLateClaims, AreForgottenOneByOne) {
  const Claims claims = {claim(1, 1, "u"), claim(1, 2, "u"), claim(2, 1, "v")};
  ASSERT_TRUE(store_->save(late_batch("a", claims)));
  ASSERT_TRUE(store_->save(late_batch("b", claims)));
  ASSERT_TRUE(store_->forget_late_claims("a", Claims{claims[0], claims[2], claim(9, 9, "nobody")}));
  EXPECT_EQ(all("a"), (Claims{claims[1]}));
  EXPECT_EQ(all("b"), claims);
  ASSERT_TRUE(store_->forget_late_claims("a", Claims{claims[1]}));
  ASSERT_TRUE(store_->forget_late_claims("a", {}));
  EXPECT_EQ(coupons(), (std::vector<std::string>{"b"}));
  EXPECT_EQ(store_->forget_late_claims("b", Claims(claims_piece_max + 1, claims[0])).error().code,
            Errc::invalid);
}

}  // namespace
}  // namespace seonchak
