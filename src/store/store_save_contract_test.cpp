#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "store/testing/store_contract.hpp"

namespace seonchak {
namespace {

/// What core/ports/store.hpp promises of rows and positions, of either store.
class StoreSaves : public StoreContract {};

TEST_P(StoreSaves, ASavedRowComesBackToTheMillisecond) {
  const IssuedEvent saved{"a", "u", 17, from_millis(1'763'780'400'123), 4};
  ASSERT_EQ(store_->save(batch_of({saved})).value(), SaveOutcome::saved);
  const auto holders = store_->holders("a", 0, 10).value();
  ASSERT_EQ(holders.size(), 1U);
  EXPECT_EQ(holders[0].user_id, "u");
  EXPECT_EQ(holders[0].sequence, 17);
  EXPECT_EQ(holders[0].issued_at, saved.issued_at);
  const auto rows = store_->coupons_of_user("u", 10).value();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].coupon_id, "a");
  EXPECT_EQ(rows[0].user_id, "u");
  EXPECT_EQ(rows[0].sequence, 17);
  EXPECT_EQ(rows[0].issued_at, saved.issued_at);
  EXPECT_EQ(rows[0].status, "issued");
}

TEST_P(StoreSaves, SavingAgainChangesNothing) {
  const SaveBatch batch = batch_of({event("a", 1), event("a", 2), event("b", 1)});
  EXPECT_EQ(store_->save(batch).value(), SaveOutcome::saved);
  EXPECT_EQ(store_->save(batch).value(), SaveOutcome::saved);
  EXPECT_EQ(store_->save(batch_of({event("a", 3, "user1"), event("a", 4)})).value(), SaveOutcome::saved);
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{1, 2, 4}));
  EXPECT_EQ(holder("a", 1), "user1");
  EXPECT_EQ(sequences("b"), (std::vector<Sequence>{1}));
}

TEST_P(StoreSaves, RepeatsAndNewRowsMayComeInAnyOrderForLong) {
  SaveBatch batch = batch_of({});
  for (int n = 1; n <= 250; ++n) {
    batch.events = {event("a", n)};
    batch.positions = {{0, n - 1, n}};
    ASSERT_EQ(store_->save(batch).value(), SaveOutcome::saved);
    if (n % 7 == 0) {
      batch.events.push_back(event("a", n - 3));
      batch.positions.clear();
      ASSERT_EQ(store_->save(batch).value(), SaveOutcome::saved);
    }
  }
  EXPECT_EQ(sequences("a").size(), 250U);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 250}}));
}

TEST_P(StoreSaves, AUserTwiceInABatchKeepsTheEarlierSequence) {
  const SaveBatch batch =
      batch_of({event("a", 5, "u"), event("a", 5, "u"), event("a", 2, "u"), event("a", 6, "v")});
  EXPECT_EQ(store_->save(batch).value(), SaveOutcome::saved);
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{5, 6}));
}

TEST_P(StoreSaves, ASequenceOfAnotherUserIsRejectedWithTheWholeBatch) {
  ASSERT_TRUE(store_->save(batch_of({event("a", 1, "u")}, {{0, 0, 1}})));
  const auto clash = store_->save(batch_of({event("a", 2), event("a", 1, "v"), event("a", 3)}, {{0, 1, 4}}));
  ASSERT_TRUE(clash.has_error());
  EXPECT_EQ(clash.error().code, Errc::rejected);
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{1}));
  EXPECT_EQ(holder("a", 1), "u");
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 1}}));

  const auto within = store_->save(batch_of({event("a", 7, "x"), event("a", 7, "y")}));
  EXPECT_EQ(within.error().code, Errc::rejected);
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{1}));
  EXPECT_EQ(store_->save(batch_of({event("a", 2)}, {{0, 1, 4}})).value(), SaveOutcome::saved);
}

TEST_P(StoreSaves, AClashAmongManyRowsIsNamedAndLeavesNone) {
  ASSERT_TRUE(store_->save(batch_of({event("a", 13, "u")})));
  std::vector<IssuedEvent> many;
  for (Sequence sequence = 1; sequence <= 30; ++sequence) many.push_back(event("a", sequence));
  const auto clash = store_->save(batch_of(many));
  ASSERT_TRUE(clash.has_error());
  EXPECT_EQ(clash.error().code, Errc::rejected);
  EXPECT_NE(clash.error().message.find("13"), std::string::npos) << clash.error().message;
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{13}));

  std::erase_if(many, [](const IssuedEvent& each) { return each.sequence == 13; });
  EXPECT_EQ(store_->save(batch_of(many)).value(), SaveOutcome::saved);
  EXPECT_EQ(store_->save(batch_of(many)).value(), SaveOutcome::saved);
  EXPECT_EQ(sequences("a").size(), 30U);
}

TEST_P(StoreSaves, APositionMovesOnlyFromWhereItIsExpected) {
  EXPECT_TRUE(positions().empty());
  EXPECT_EQ(store_->save(batch_of({event("a", 1)}, {{2, 0, 10}})).value(), SaveOutcome::saved);
  EXPECT_EQ(store_->save(batch_of({event("a", 2)}, {{2, 10, 20}, {1, 0, 5}})).value(), SaveOutcome::saved);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{1, 5}, {2, 20}}));
  EXPECT_EQ(store_->save(batch_of({event("a", 3)}, {{2, 10, 20}})).value(), SaveOutcome::fenced);
  EXPECT_EQ(store_->save(batch_of({event("a", 3)}, {{2, 0, 30}})).value(), SaveOutcome::fenced);
  EXPECT_EQ(store_->save(batch_of({event("a", 3)}, {{3, 7, 8}})).value(), SaveOutcome::fenced);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{1, 5}, {2, 20}}));
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{1, 2}));
}

TEST_P(StoreSaves, APositionHasTheFingerprintItMovedWith) {
  EXPECT_EQ(store_->save(batch_of({}, {{0, 0, 10, "ten"}, {1, 0, 5, "five"}})).value(), SaveOutcome::saved);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 10, "ten"}, {1, 5, "five"}}));
  EXPECT_EQ(store_->save(batch_of({}, {{0, 10, 4, "four"}, {1, 5, 6}})).value(), SaveOutcome::saved);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 4, "four"}, {1, 6, ""}}));
}

TEST_P(StoreSaves, AFencedPartitionKeepsTheOthersBack) {
  ASSERT_TRUE(store_->save(batch_of({}, {{0, 0, 10}, {1, 0, 10}, {2, 0, 10}})));
  EXPECT_EQ(
      store_->save(batch_of({event("a", 1)}, {{0, 10, 11}, {2, 9, 11}, {1, 10, 11}, {3, 0, 1}})).value(),
      SaveOutcome::fenced);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 10}, {1, 10}, {2, 10}}));
  EXPECT_TRUE(sequences("a").empty());
}

TEST_P(StoreSaves, AFencedMemberIsFencedEvenWhenItsRowsWouldBeRejected) {
  ASSERT_TRUE(store_->save(batch_of({event("a", 1, "u")}, {{0, 0, 10}})));
  EXPECT_EQ(store_->save(batch_of({event("a", 1, "v")}, {{0, 5, 6}})).value(), SaveOutcome::fenced);
}

TEST_P(StoreSaves, APositionThatIsZeroMovesLikeANewOne) {
  ASSERT_TRUE(store_->save(batch_of({}, {{0, 0, 0}})));
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 0}}));
  EXPECT_EQ(store_->save(batch_of({}, {{0, 0, 4}})).value(), SaveOutcome::saved);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 4}}));
}

TEST_P(StoreSaves, PositionsBelongToAGroupAndATopic) {
  ASSERT_TRUE(store_->save({"group", "topic", {}, {{0, 0, 1}}}));
  ASSERT_TRUE(store_->save({"other", "topic", {}, {{0, 0, 2}}}));
  ASSERT_TRUE(store_->save({"group", "other", {}, {{0, 0, 9'000'000'000}}}));
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 1}}));
  EXPECT_EQ(store_->positions("group", "other").value(), (std::vector<LogPosition>{{0, 9'000'000'000}}));
  EXPECT_TRUE(store_->positions("nobody", "topic").value().empty());
}

TEST_P(StoreSaves, TheHighestPositionIsThatOfAnyGroup) {
  EXPECT_TRUE(store_->highest_positions("topic").value().empty());
  ASSERT_TRUE(store_->save({"group", "topic", {}, {{0, 0, 7}, {1, 0, 1}}}));
  ASSERT_TRUE(store_->save({"other", "topic", {}, {{0, 0, 2}, {1, 0, 9'000'000'000}, {3, 0, 4}}}));
  ASSERT_TRUE(store_->save({"group", "other", {}, {{0, 0, 100}}}));
  EXPECT_EQ(store_->highest_positions("topic").value(),
            (std::vector<LogPosition>{{0, 7}, {1, 9'000'000'000}, {3, 4}}));
}

TEST_P(StoreSaves, NothingToSaveIsSaved) {
  EXPECT_EQ(store_->save(batch_of({})).value(), SaveOutcome::saved);
}

TEST_P(StoreSaves, AThousandRowsASaveComeBackInPagesOfHolders) {
  for (int save = 0; save < 3; ++save) {
    const int before = save * 1'000;
    SaveBatch batch = batch_of({}, {{0, before, before + 1'000}});
    for (int i = 1; i <= 1'000; ++i) batch.events.push_back(event("a", before + i));
    ASSERT_EQ(store_->save(batch).value(), SaveOutcome::saved);
  }
  Sequence after = 0;
  for (;;) {
    const auto page = store_->holders("a", after, 700).value();
    if (page.empty()) break;
    for (const Holder& holder : page) {
      ASSERT_EQ(holder.sequence, after + 1);
      ASSERT_EQ(holder.user_id, "user" + to_string(holder.sequence));
      ++after;
    }
  }
  EXPECT_EQ(after, 3'000);
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 3'000}}));
}

TEST_P(StoreSaves, EveryLegalUserIdIsKeptAsItIs) {
  std::string letters;
  for (int c = 1; c < 256; ++c) {
    if (valid_user_id(std::string(1, static_cast<char>(c)))) letters += static_cast<char>(c);
  }
  SaveBatch batch = batch_of({});
  std::vector<std::string> users = {std::string(user_id_bytes_max, '@'), "A", "a", "1", "01", "null"};
  for (const char c : letters) users.push_back(std::string("x") + c);
  users.push_back(letters.substr(0, user_id_bytes_max));
  for (const std::string& user : users) {
    ASSERT_TRUE(valid_user_id(user));
    batch.events.push_back(event("a", static_cast<int>(batch.events.size()) + 1, user));
  }
  ASSERT_EQ(store_->save(batch).value(), SaveOutcome::saved);
  for (std::size_t i = 0; i < users.size(); ++i) {
    EXPECT_EQ(holder("a", static_cast<int>(i) + 1), users[i]);
    EXPECT_EQ(store_->coupons_of_user(users[i], 5).value().size(), 1U);
  }
}

TEST_P(StoreSaves, AUsersCouponsComeNewestFirst) {
  SaveBatch batch = batch_of({});
  for (const int age : {3, 1, 2, 4}) batch.events.push_back(event("c" + std::to_string(age), 100 - age, "u"));
  batch.events.push_back(event("c1", 100, "v"));
  ASSERT_TRUE(store_->save(batch));
  std::vector<std::string> coupons;
  for (const UserCoupon& row : store_->coupons_of_user("u", 3).value()) coupons.push_back(row.coupon_id);
  EXPECT_EQ(coupons, (std::vector<std::string>{"c1", "c2", "c3"}));
  EXPECT_TRUE(store_->coupons_of_user("w", 3).value().empty());
}

TEST_P(StoreSaves, ConcurrentSaversOfTheSameRowsSaveThemOnce) {
  constexpr int rounds = 20;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        SaveBatch batch = batch_of({});
        for (int n = 1; n <= 50; ++n) batch.events.push_back(event("a", round * 50 + n));
        const auto saved = store_->save(batch);
        EXPECT_TRUE(saved) << saved.error().message;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sequences("a").size(), 50U * rounds);
}

TEST_P(StoreSaves, OfMembersMovingOnePositionOneWins) {
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> saved{0};
    std::atomic<int> fenced{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const auto user = std::to_string(round) + "-" + std::to_string(i);
        const auto outcome =
            store_->save(batch_of({event("a", 1 + round * 4 + i, user)}, {{0, round, round + 1}}));
        ASSERT_TRUE(outcome) << outcome.error().message;
        ++(*outcome == SaveOutcome::saved ? saved : fenced);
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(saved, 1);
    EXPECT_EQ(fenced, 3);
  }
  EXPECT_EQ(sequences("a").size(), 10U);
}

TEST_P(StoreSaves, ReopeningKeepsEverything) {
  const Coupon created = store_->create_coupon(coupon_named("a")).value();
  ASSERT_TRUE(store_->save(batch_of({event("a", 1), event("a", 2)}, {{0, 0, 2}})));
  reopen();
  expect_same(store_->coupon("a").value(), created);
  EXPECT_EQ(sequences("a"), (std::vector<Sequence>{1, 2}));
  EXPECT_EQ(positions(), (std::vector<LogPosition>{{0, 2}}));
  EXPECT_GT(store_->create_coupon(coupon_named("b")).value().revision, created.revision);
}

INSTANTIATE_TEST_SUITE_P(Twins, StoreSaves, store_twins(), twin_name);

}  // namespace
}  // namespace seonchak
