#include "gate/testing/gate_contract.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::eventually;
using testing::make_config;
using testing::make_twin;
using testing::unique_id;
using Names = std::vector<std::string>;

const Time long_ago = from_millis(1'000'000'000'000);
const Time far_ahead = from_millis(4'000'000'000'000);

class GateContract : public testing::GateContractTest {};

INSTANTIATE_TEST_SUITE_P(Twins, GateContract, ::testing::Values("memory", "redis"),
                         [](const auto& info) { return info.param; });

TEST_P(GateContract, TheFirstUsersGetConsecutiveSequencesAndTheRestIsSoldOut) {
  const GateConfig coupon = installed(make_config(2));
  const auto reply = twin_->claim(batch_of(coupon, {"a", "b", "c"}));
  ASSERT_TRUE(reply) << reply.error().message;
  ASSERT_EQ(reply->claims.size(), 3u);
  EXPECT_EQ(reply->claims[0].decision, Decision::issued);
  EXPECT_EQ(reply->claims[0].sequence, 1);
  EXPECT_EQ(reply->claims[1].decision, Decision::issued);
  EXPECT_EQ(reply->claims[1].sequence, 2);
  EXPECT_EQ(reply->claims[2].decision, Decision::sold_out);
  EXPECT_EQ(reply->claims[2].sequence, 0);
  EXPECT_EQ(reply->claims[0].issued_at, reply->state.now);
}

TEST_P(GateContract, AReplyTellsTheStateAfterTheBatch) {
  GateConfig coupon = make_config(5);
  coupon.opens_at = long_ago;
  coupon.closes_at = far_ahead;
  coupon.revision = 7;
  coupon.epoch = 3;
  installed(coupon);
  const auto reply = twin_->claim(batch_of(coupon, {"a", "b"}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->state.stock, 5);
  EXPECT_EQ(reply->state.sequence, 2);
  EXPECT_EQ(reply->state.issued, 2);
  EXPECT_EQ(reply->state.opens_at, long_ago);
  EXPECT_EQ(reply->state.closes_at, far_ahead);
  EXPECT_FALSE(reply->state.closed);
  EXPECT_EQ(reply->state.epoch, 3);
  EXPECT_EQ(reply->state.revision, 7);
  EXPECT_EQ(reply->state.published, 0);
  EXPECT_EQ(reply->state.persisted, 0);
  EXPECT_GT(reply->state.now, long_ago);
}

TEST_P(GateContract, StatesOfManyComeInOrderAndNothingWhereThereIsNone) {
  Names ids;
  for (int i = 0; i < 300; ++i) ids.push_back(installed(make_config(i + 1)).id);
  ids.insert(ids.begin() + 1, unique_id("none"));
  const auto states = control().states(ids);
  ASSERT_EQ(states.size(), ids.size());
  ASSERT_TRUE(states[0]) << states[0].error().message;
  EXPECT_EQ(states[0]->stock, 1);
  ASSERT_FALSE(states[1]);
  EXPECT_EQ(states[1].error().code, Errc::gate_missing);
  for (std::size_t i = 2; i < ids.size(); ++i) ASSERT_EQ(states[i]->stock, static_cast<std::int64_t>(i));
}

TEST_P(GateContract, ARetryGetsItsFirstSequenceAndTime) {
  const GateConfig coupon = installed(make_config(2));
  const Claim first = claim_one(coupon, "a");
  claim_one(coupon, "b");
  std::this_thread::sleep_for(3ms);
  const Claim again = claim_one(coupon, "a");
  EXPECT_EQ(again.decision, Decision::already_issued);
  EXPECT_EQ(again.sequence, first.sequence);
  EXPECT_EQ(again.issued_at, first.issued_at);
}

TEST_P(GateContract, ADuplicateInOneBatchGetsTheSequenceOfTheFirst) {
  const GateConfig coupon = installed(make_config(10));
  const auto reply = twin_->claim(batch_of(coupon, {"a", "b", "a", "a"}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->claims[0].decision, Decision::issued);
  for (const std::size_t i : {2u, 3u}) {
    EXPECT_EQ(reply->claims[i].decision, Decision::already_issued);
    EXPECT_EQ(reply->claims[i].sequence, 1);
    EXPECT_EQ(reply->claims[i].issued_at, reply->claims[0].issued_at);
  }
  EXPECT_EQ(reply->state.issued, 2);
}

TEST_P(GateContract, ADuplicateOfTheLastWinnerIsNotSoldOut) {
  const GateConfig coupon = installed(make_config(1));
  const auto reply = twin_->claim(batch_of(coupon, {"a", "b", "a"}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->claims[1].decision, Decision::sold_out);
  EXPECT_EQ(reply->claims[2].decision, Decision::already_issued);
}

TEST_P(GateContract, NothingIsIssuedOutsideTheWindow) {
  GateConfig early = make_config(1);
  early.opens_at = far_ahead;
  EXPECT_EQ(decision_of(installed(early), "a"), Decision::not_open);

  GateConfig late = make_config(1);
  late.closes_at = long_ago;
  EXPECT_EQ(decision_of(installed(late), "a"), Decision::closed);
}

TEST_P(GateContract, RefusalsHaveTheirPrecedence) {
  GateConfig coupon = installed(make_config(1));
  EXPECT_EQ(decision_of(coupon, "holder"), Decision::issued);
  coupon.opens_at = far_ahead;
  configure(coupon);
  EXPECT_EQ(decision_of(coupon, "late"), Decision::not_open) << "not_open comes before sold_out";
  coupon.closed = true;
  configure(coupon);
  EXPECT_EQ(decision_of(coupon, "late"), Decision::closed) << "closed comes before not_open";
  EXPECT_EQ(decision_of(coupon, "holder"), Decision::already_issued) << "a holder comes before every refusal";
}

TEST_P(GateContract, ARefusedUserMayWinLater) {
  GateConfig coupon = installed(make_config(1));
  claim_one(coupon, "a");
  EXPECT_EQ(decision_of(coupon, "b"), Decision::sold_out);
  coupon.stock = 2;
  configure(coupon);
  EXPECT_EQ(claim_one(coupon, "b").sequence, 2);
}

TEST_P(GateContract, TheLargestBatchIsDecided) {
  const GateConfig coupon = installed(make_config(stock_max));
  Names users;
  for (std::size_t i = 0; i < claim_users_max; ++i) {
    users.push_back(std::string(user_id_bytes_max - 4, 'u') + std::to_string(1000 + i));
  }
  const auto reply = twin_->claim(batch_of(coupon, users));
  ASSERT_TRUE(reply) << reply.error().message;
  for (std::size_t i = 0; i < users.size(); ++i) {
    EXPECT_EQ(reply->claims[i].sequence, static_cast<int>(i) + 1);
  }
  EXPECT_EQ(read(coupon, 0).at(0).users, users);
}

TEST_P(GateContract, ABatchOfTheWrongSizeIsInvalid) {
  const GateConfig coupon = installed(make_config(1));
  EXPECT_EQ(claim_error(batch_of(coupon, {})), Errc::invalid);
  EXPECT_EQ(claim_error(batch_of(coupon, Names(claim_users_max + 1, "a"))), Errc::invalid);
}

TEST_P(GateContract, BatchesInFlightTogetherAreDecidedInOrder) {
  const GateConfig coupon = installed(make_config(1'000));
  std::vector<ClaimBatch> batches;
  for (int i = 0; i < 200; ++i) batches.push_back(batch_of(coupon, {"u" + std::to_string(i)}));
  const auto replies = twin_->claim_all(std::move(batches));
  for (std::size_t i = 0; i < replies.size(); ++i) {
    ASSERT_TRUE(replies[i]) << replies[i].error().message;
    EXPECT_EQ(replies[i]->claims[0].sequence, static_cast<int>(i) + 1);
  }
}

TEST_P(GateContract, ACouponWithoutStateIsMissingNotSoldOut) {
  const GateConfig coupon = make_config(1);
  EXPECT_EQ(claim_error(batch_of(coupon, {"a"})), Errc::gate_missing);
  EXPECT_EQ(control().state(coupon.id).error().code, Errc::gate_missing);
  EXPECT_EQ(control().configure(coupon).error().code, Errc::gate_missing);
}

TEST_P(GateContract, AnotherEpochIsRefused) {
  GateConfig coupon = installed(make_config(1));
  coupon.epoch = 2;
  EXPECT_EQ(claim_error(batch_of(coupon, {"a"})), Errc::gate_epoch);
  EXPECT_EQ(control().state(coupon.id)->issued, 0);
}

TEST_P(GateContract, AStateThatHasForgottenSequencesIsRefused) {
  const GateConfig coupon = installed(make_config(10));
  claim_one(coupon, "a");
  ClaimBatch batch = batch_of(coupon, {"b"});
  batch.sequence_seen = 2;
  EXPECT_EQ(claim_error(batch), Errc::gate_behind);
  batch.sequence_seen = 1;
  EXPECT_TRUE(twin_->claim(batch));
}

TEST_P(GateContract, AFullOutboxIssuesNothingAndStillAnswersHolders) {
  limit_outbox(3);
  const GateConfig coupon = installed(make_config(10));
  ASSERT_TRUE(twin_->claim(batch_of(coupon, {"a", "b"})));
  EXPECT_EQ(claim_error(batch_of(coupon, {"a", "c", "d"})), Errc::outbox_full);
  EXPECT_EQ(control().state(coupon.id)->sequence, 2);
  EXPECT_EQ(control().state(coupon.id)->issued, 2);
  EXPECT_EQ(read(coupon, 0).size(), 1u);
  EXPECT_EQ(decision_of(coupon, "a"), Decision::already_issued);

  EXPECT_EQ(claim_one(coupon, "c").sequence, 3);
  EXPECT_EQ(claim_error(batch_of(coupon, {"d"})), Errc::outbox_full);
  persisted(coupon, 1);
  EXPECT_EQ(claim_one(coupon, "d").sequence, 4);
}

TEST_P(GateContract, ClaimNowDecidesTheSame) {
  const GateConfig coupon = installed(make_config(1));
  const auto reply = control().claim_now(batch_of(coupon, {"a", "b"}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->claims[0].decision, Decision::issued);
  EXPECT_EQ(reply->claims[1].decision, Decision::sold_out);
  EXPECT_EQ(decision_of(coupon, "a"), Decision::already_issued);
}

TEST_P(GateContract, ManyThreadsNeverIssueMoreThanTheStock) {
  constexpr int threads = 8;
  constexpr int stock = 100;
  const GateConfig coupon = installed(make_config(stock));
  std::mutex mutex;
  std::map<std::string, std::set<Sequence>> sequences;  // guarded by mutex
  std::vector<std::jthread> crowd;
  for (int t = 0; t < threads; ++t) {
    crowd.emplace_back([&, t] {
      // Neighbours share half of their users.
      for (int i = 0; i < 60; i += 3) {
        Names users;
        for (int k = 0; k < 3; ++k) users.push_back("u" + std::to_string(t * 30 + i + k));
        const auto reply = control().claim_now(batch_of(coupon, users));
        ASSERT_TRUE(reply) << reply.error().message;
        const std::lock_guard lock(mutex);
        for (std::size_t k = 0; k < users.size(); ++k) {
          if (reply->claims[k].sequence > 0) sequences[users[k]].insert(reply->claims[k].sequence);
        }
      }
    });
  }
  crowd.clear();

  std::set<Sequence> all;
  for (const auto& [user, of_user] : sequences) {
    EXPECT_EQ(of_user.size(), 1u) << user << " has two sequences";
    all.insert(of_user.begin(), of_user.end());
  }
  EXPECT_EQ(sequences.size(), static_cast<std::size_t>(stock));
  EXPECT_EQ(all.size(), static_cast<std::size_t>(stock));
  EXPECT_EQ(*all.begin(), 1);
  EXPECT_EQ(*all.rbegin(), stock);
}

TEST_P(GateContract, InstallingAgainChangesNothing) {
  GateConfig coupon = installed(make_config(3));
  claim_one(coupon, "a");
  coupon.stock = 99;
  EXPECT_TRUE(control().install(coupon));
  EXPECT_EQ(control().state(coupon.id)->stock, 3);
  EXPECT_EQ(control().state(coupon.id)->issued, 1);
}

TEST_P(GateContract, InstallingOverAnotherCouponOrALaterEpochIsRefused) {
  GateConfig coupon = make_config(3);
  coupon.epoch = 2;
  installed(coupon);
  GateConfig earlier = coupon;
  earlier.epoch = 1;
  EXPECT_EQ(control().install(earlier).error().code, Errc::gate_later);
  GateConfig created = coupon;
  created.created_at += 1ms;
  EXPECT_EQ(control().install(created).error().code, Errc::gate_epoch);
  EXPECT_EQ(control().state(coupon.id)->epoch, 2);
}

TEST_P(GateContract, AnEarlierEpochIsReplacedUnlessItHasIssued) {
  GateConfig coupon = installed(make_config(3));
  coupon.epoch = 2;
  coupon.stock = 4;
  ASSERT_TRUE(control().install(coupon));
  EXPECT_EQ(control().state(coupon.id)->stock, 4);
  EXPECT_EQ(decision_of(coupon, "a"), Decision::issued);
  coupon.epoch = 3;
  EXPECT_EQ(control().install(coupon).error().code, Errc::gate_later);
}

TEST_P(GateContract, ALaterRevisionIsTakenOverAndAnEarlierOneIsNot) {
  GateConfig coupon = make_config(3);
  coupon.revision = 5;
  installed(coupon);
  coupon.stock = 4;
  ASSERT_TRUE(control().configure(coupon));
  EXPECT_EQ(control().state(coupon.id)->stock, 3) << "the same revision is known already";
  coupon.revision = 4;
  EXPECT_EQ(control().configure(coupon).error().code, Errc::gate_later);
  EXPECT_EQ(control().state(coupon.id)->stock, 3);
  EXPECT_EQ(control().state(coupon.id)->revision, 5);

  coupon.revision = 6;
  coupon.opens_at = long_ago;
  coupon.closes_at = far_ahead;
  coupon.closed = true;
  ASSERT_TRUE(control().configure(coupon));
  const auto state = control().state(coupon.id);
  EXPECT_EQ(state->stock, 4);
  EXPECT_EQ(state->opens_at, long_ago);
  EXPECT_EQ(state->closes_at, far_ahead);
  EXPECT_TRUE(state->closed);
  EXPECT_EQ(state->revision, 6);

  coupon.revision = 7;
  coupon.opens_at.reset();
  coupon.closes_at.reset();
  coupon.closed = false;
  ASSERT_TRUE(control().configure(coupon));
  EXPECT_FALSE(control().state(coupon.id)->opens_at);
  EXPECT_FALSE(control().state(coupon.id)->closes_at);
}

// Twice the milliseconds of the clock: beyond 32 bits, and exact in a double.
TEST_P(GateContract, RevisionsThatFollowTheClockAreToldApart) {
  GateConfig coupon = make_config(3);
  coupon.revision = GateRevision(7'200'000'000'000);
  installed(coupon);
  coupon.stock = 4;
  coupon.revision -= 1;
  EXPECT_EQ(control().configure(coupon).error().code, Errc::gate_later);
  coupon.revision += 2;
  ASSERT_TRUE(control().configure(coupon));
  EXPECT_EQ(control().state(coupon.id)->stock, 4);
  EXPECT_EQ(control().state(coupon.id)->revision, GateRevision(7'200'000'000'001));
}

TEST_P(GateContract, TheStockCannotFallBelowWhatIsIssued) {
  GateConfig coupon = installed(make_config(5));
  ASSERT_TRUE(twin_->claim(batch_of(coupon, {"a", "b", "c"})));
  coupon.revision = 2;
  coupon.stock = 2;
  coupon.closed = true;
  EXPECT_EQ(control().configure(coupon).error().code, Errc::stock_below_issued);
  EXPECT_EQ(control().state(coupon.id)->stock, 5);
  EXPECT_EQ(control().state(coupon.id)->revision, 1);
  EXPECT_FALSE(control().state(coupon.id)->closed);
  coupon.stock = 3;
  EXPECT_TRUE(control().configure(coupon));
}

TEST_P(GateContract, HoldingsNameOnlyTheCouponsTheUserHolds) {
  const GateConfig one = installed(make_config(1));
  const GateConfig two = installed(make_config(1));
  claim_one(one, "b");
  const Claim claim = claim_one(two, "a");
  const Names ids = {one.id, two.id, unique_id("none")};
  const auto holdings = control().holdings("a", ids);
  ASSERT_EQ(holdings.size(), ids.size());
  ASSERT_TRUE(holdings[1]) << holdings[1].error().message;
  ASSERT_TRUE(*holdings[1]);
  EXPECT_EQ((*holdings[1])->coupon_id, two.id);
  EXPECT_EQ((*holdings[1])->sequence, 1);
  EXPECT_EQ((*holdings[1])->issued_at, claim.issued_at);
  for (const std::size_t other : {0U, 2U}) {
    ASSERT_TRUE(holdings[other]);
    EXPECT_FALSE(*holdings[other]);
  }
  for (const auto& holding : control().holdings("nobody", ids)) EXPECT_FALSE(holding.value());
  EXPECT_TRUE(control().holdings("a", {}).empty());
}

TEST_P(GateContract, TheGateAnswersACheck) {
  EXPECT_TRUE(control().check());
}

}  // namespace
}  // namespace seonchak
