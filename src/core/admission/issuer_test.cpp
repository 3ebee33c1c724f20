#include "core/admission/issuer.hpp"

#include <gtest/gtest.h>

#include "core/testing/issuer.hpp"
#include "core/testing/ticker.hpp"

namespace seonchak {
namespace {

TEST(Issuer, RequestsThatComeWhileACallIsOutGoTogetherInTheNext) {
  Issuing world;
  world.create("c", 10);
  for (const char* user : {"a", "b", "c", "d"}) world.ask("c", user);
  ASSERT_EQ(world.slow.held.size(), 1U);
  EXPECT_EQ(world.slow.held.front().first.users, (Answers{"a"}));

  world.slow.answer();
  ASSERT_EQ(world.slow.held.size(), 1U);
  EXPECT_EQ(world.slow.held.front().first.users, (Answers{"b", "c", "d"}));
  world.slow.answer();
  EXPECT_TRUE(world.slow.held.empty());
  EXPECT_EQ(world.answers, (Answers{"a issued 1", "b issued 2", "c issued 3", "d issued 4"}));
}

TEST(Issuer, RequestsOfOneTurnOfTheLoopGoTogether) {
  Issuing world;
  world.create("c", 10);
  for (const char* user : {"a", "b", "c"}) world.ask_in_this_turn("c", user);
  EXPECT_TRUE(world.slow.held.empty());
  world.loop.run();
  ASSERT_EQ(world.slow.held.size(), 1U);
  EXPECT_EQ(world.slow.held.front().first.users, (Answers{"a", "b", "c"}));
}

TEST(Issuer, ABatchCarriesNoMoreThanItsLimit) {
  Issuing world({.batch_users_max = 2});
  world.create("c", 10);
  for (const char* user : {"a", "b", "c", "d"}) world.ask("c", user);
  world.slow.answer();
  EXPECT_EQ(world.slow.held.front().first.users, (Answers{"b", "c"}));
  world.slow.answer();
  EXPECT_EQ(world.slow.held.front().first.users, (Answers{"d"}));
}

TEST(Issuer, OneTooManyInTheQueueIsOverloaded) {
  Issuing world({.queue_users_max = 2});
  world.create("c", 10);
  for (const char* user : {"a", "b", "c", "d"}) world.ask("c", user);
  EXPECT_EQ(world.answers, (Answers{"d overloaded"}));
  EXPECT_EQ(world.issuer.in_flight(), 3U);
  world.answer_all();
  EXPECT_EQ(world.answers, (Answers{"d overloaded", "a issued 1", "b issued 2", "c issued 3"}));
  EXPECT_EQ(world.issuer.in_flight(), 0U);
}

TEST(Issuer, CouponsDoNotWaitForEachOther) {
  Issuing world;
  world.create("c", 10);
  world.create("d", 10);
  world.ask("c", "a");
  world.ask("d", "a");
  EXPECT_EQ(world.slow.held.size(), 2U);
}

TEST(Issuer, AnErrorIsTheAnswerToItsWholeBatchAndToNoOther) {
  Issuing world;
  world.create("c", 10);
  for (const char* user : {"a", "b", "c"}) world.ask("c", user);
  world.slow.answer();
  world.ask("c", "d");
  world.slow.fail({Errc::outbox_full, "full"});
  world.answer_all();
  EXPECT_EQ(world.answers, (Answers{"a issued 1", "b outbox_full", "c outbox_full", "d issued 2"}));
}

TEST(Issuer, ARetryAfterAnErrorInDoubtGetsTheFirstSequence) {
  Issuing world;
  world.create("c", 10);
  world.faults.fail("claim", Fault::after, 1);
  world.ask("c", "a");
  world.answer_all();
  world.ask("c", "a");
  world.answer_all();
  EXPECT_EQ(world.answers, (Answers{"a unavailable", "a already_issued 1"}));
}

TEST(Issuer, PassesOnTheHighestSequenceItHasSeen) {
  Issuing world;
  world.create("c", 10);
  for (const char* user : {"a", "b"}) {
    world.ask("c", user);
    world.answer_all();
  }
  world.ask("c", "c");
  EXPECT_EQ(world.slow.held.front().first.sequence_seen, 2);
  EXPECT_EQ(world.slow.held.front().first.epoch, 1);
}

TEST(Issuer, AGateThatHasForgottenFailsClosed) {
  Issuing world;
  const Coupon coupon = world.create("c", 10);
  world.ask("c", "a");
  world.answer_all();

  MemoryGate emptied;
  GateConfig opened = committed(coupon);
  ASSERT_TRUE(emptied.install(opened));
  world.ask("c", "b");
  auto [batch, handler] = std::move(world.slow.held.front());
  world.slow.held.pop_front();
  emptied.claim(std::move(batch), std::move(handler));
  EXPECT_EQ(world.answers.back(), "b gate_behind");
}

// Another process may have shut it, and hang; whoever takes over knows by this that it is wanted.
TEST(Issuer, WhoeverAsksForACouponThatIsShutHasItRecoveredFirst) {
  HandTime time;
  Issuing test;
  test.create("c", 5);
  test.sqlite
      ->update_coupon("c",
                      [](Coupon& row) -> Result<void> {
                        ++row.epoch;
                        return {};
                      })
      .value();
  (void)test.catalog.refresh();
  const auto told = [&] {
    test.ask("c", "u");
    return test.unsaved_claims.take_doubts();
  };
  EXPECT_TRUE(told().contains("c"));
  EXPECT_EQ(test.answers, Answers{"u gate_epoch"});
  EXPECT_TRUE(told().empty()) << "a moment ago";
  time.passed += safety_times.recovery_period;
  EXPECT_EQ(told().at("c").sequence_seen, 0);
  EXPECT_TRUE(test.slow.held.empty());
}

TEST(Issuer, AHandlerMayAskAgain) {
  Issuing world;
  world.create("c", 10);
  world.issuer.issue("c", "a", [&](Result<IssueAnswer>) { world.ask("c", "b"); });
  world.answer_all();
  EXPECT_EQ(world.answers, (Answers{"b issued 2"}));
}

TEST(Issuer, ARefusalNeverWaitsForTheStore) {
  Issuing world;
  world.create("c", 1, Ack::store);
  world.ask("c", "a");
  world.ask("c", "b");
  world.answer_all();
  EXPECT_EQ(world.answers, (Answers{"b sold_out"}));
}

TEST(Issuer, NotOpenSaysWhenItOpens) {
  Issuing world;
  const Time opens = now() + std::chrono::hours(1);
  ASSERT_TRUE(world.coupon_admin.create({"c", "later", 1, opens, {}, {}}));
  std::optional<Time> told;
  world.issuer.issue("c", "a", [&](Result<IssueAnswer> answer) { told = answer.value().opens_at; });
  world.answer_all();
  EXPECT_EQ(told, opens);
}

TEST(Issuer, AckLogWaitsForTheLogAndNoLonger) {
  Issuing world;
  world.create("c", 10, Ack::log);
  world.ask("c", "a");
  world.answer_all();
  EXPECT_TRUE(world.answers.empty());
  world.published("c", 1);
  EXPECT_EQ(world.answers, (Answers{"a issued 1"}));
}

TEST(Issuer, AckStoreWaitsForTheStoreOnARetryToo) {
  Issuing world;
  world.create("c", 10, Ack::store);
  world.ask("c", "a");
  world.ask("c", "a");
  world.answer_all();
  world.published("c", 1);
  EXPECT_TRUE(world.answers.empty());
  world.persisted("c", 1);
  EXPECT_EQ(world.answers, (Answers{"a issued 1", "a already_issued 1"}));
}

TEST(Issuer, LearnsFromTheGateWhatOtherProcessesHaveDone) {
  Issuing world;
  world.create("c", 10, Ack::log);
  world.ask("c", "a");
  world.answer_all();
  const Watermark watermark{"c", 1, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&watermark, 1}).front());
  world.ask("c", "b");
  world.answer_all();
  world.loop.run();
  EXPECT_EQ(world.answers, (Answers{"a issued 1"}));
}

// How far the store is, as a claim's reply says, is no word of what the store rejects.
TEST(Issuer, AnIssuedCouponThatTheStoreRejectsIsPending) {
  Issuing world({.gate_is_durable = true});
  world.create("c", 10, Ack::store);
  for (const char* user : {"a", "b"}) world.ask("c", user);
  world.answer_all();
  RejectedSequences rejected;
  rejected.add(1);
  const Watermark watermark{"c", 2, 1};
  ASSERT_TRUE(world.memory_gate.raise_persisted({&watermark, 1}).front());
  world.ask("c", "a");
  world.answer_all();
  EXPECT_TRUE(world.answers.empty());
  world.watermarks.rejected("c", 1, rejected);
  world.persisted("c", 2);
  EXPECT_EQ(world.answers, (Answers{"b issued 2", "a issued 1 pending", "a already_issued 1 pending"}));
}

TEST(Issuer, TheStoreBeingLateMeansPendingWithADurableGate) {
  Issuing world({.gate_is_durable = true}, {no_wait});
  world.create("c", 10, Ack::store);
  world.ask("c", "a");
  world.answer_all();
  world.loop.fire_timers();
  EXPECT_EQ(world.answers, (Answers{"a issued 1 pending"}));
}

TEST(Issuer, TheStoreBeingLateMeansUnavailableWithAGateThatMayForget) {
  Issuing world({.gate_is_durable = false}, {no_wait});
  world.create("c", 10, Ack::store);
  world.ask("c", "a");
  world.answer_all();
  world.loop.fire_timers();
  EXPECT_EQ(world.answers, (Answers{"a unavailable"}));
}

}  // namespace
}  // namespace seonchak
