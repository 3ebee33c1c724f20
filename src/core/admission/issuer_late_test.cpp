#include <gtest/gtest.h>

#include "core/admission/issuer.hpp"
#include "core/progress/progress_poller.hpp"
#include "core/testing/issuer.hpp"
#include "core/testing/ticker.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds limit = IssuerOptions{}.answer_limit;

struct Late {
  explicit Late(IssuerOptions options = {}, AckWaitersOptions waiting = {std::chrono::hours(1)})
      : world(options, waiting) {}

  HandTime time;
  Issuing world;

  /// Asks, lets the gate decide, and lets the process sleep before it hears of that.
  std::string ask(std::chrono::milliseconds asleep) {
    world.ask("c", "a");
    time.passed += asleep;
    world.answer_all();
    return world.answers.front();
  }
};

TEST(IssuerDeadline, AHolderIsToldWithinTheLimitFromTheCall) {
  Late test;
  test.world.create("c", 10);
  EXPECT_EQ(test.ask(limit), "a issued 1");
}

TEST(IssuerDeadline, AProcessThatSleptTellsNobody) {
  Late test;
  test.world.create("c", 10);
  EXPECT_EQ(test.ask(limit + 1ms), "a late");
  test.world.ask("c", "a");
  test.world.answer_all();
  EXPECT_EQ(test.world.answers.back(), "a already_issued 1") << "asking again tells";
}

TEST(IssuerDeadline, ARefusalIsNoPromise) {
  Late test;
  test.world.create("c", 1);
  test.world.claim("c", "other");
  EXPECT_EQ(test.ask(1h), "a sold_out");
}

TEST(IssuerDeadline, WithAGateThatFailsOverTheLeaseCountsToo) {
  for (const auto& [asleep, told] : {std::pair(600ms, "a issued 1"), std::pair(601ms, "a gate_epoch")}) {
    Late test({.fence_lease = 1'000ms});
    test.world.create("c", 10);
    ASSERT_TRUE(test.world.catalog.refresh());
    test.time.passed += 400ms;
    EXPECT_EQ(test.ask(asleep), told);
  }
}

TEST(IssuerDeadline, TheLeaseCountsUntilTheAnswerIsHandedOn) {
  Late test({.fence_lease = 1'000ms});
  test.world.create("c", 10);
  ASSERT_TRUE(test.world.catalog.refresh());
  const auto fresh_as_of = test.time.now();
  test.time.passed += 400ms;
  std::optional<IssueAnswer> answer;
  test.world.issuer.issue("c", "a", [&](Result<IssueAnswer> given) { answer = *given; });
  test.world.answer_all();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->valid_until, fresh_as_of + 1'000ms);
}

TEST(IssuerDeadline, WhatTheStoreHasIsTrueForGood) {
  Late test;
  test.world.create("c", 10, Ack::store);
  test.world.ask("c", "a");
  test.world.answer_all();
  test.time.passed += 1h;
  test.world.persisted("c", 1);
  EXPECT_EQ(test.world.answers, (Answers{"a issued 1"}));
}

// The event may have come to the log after a recovery had read it.
TEST(IssuerDeadline, WhatTheLogHasIsToldWhileTheEpochIsKnownToBeOpen) {
  for (const bool refreshed : {true, false}) {
    Late test;
    test.world.create("c", 10, Ack::log);
    test.world.ask("c", "a");
    test.world.answer_all();
    test.time.passed += 1h;
    if (refreshed) {
      ASSERT_TRUE(test.world.catalog.refresh());
    }
    test.world.published("c", 1);
    EXPECT_EQ(test.world.answers, (Answers{refreshed ? "a issued 1" : "a late"}));
  }
}

struct Pending : Late {
  Pending() : Late({}, {5s}) {
    world.create("c", 10, Ack::store);
    world.ask("c", "a");
    world.answer_all();
    time.passed += 5s;
  }
};

TEST(IssuerDeadline, PendingIsToldByAProcessThatHeardFromTheStore) {
  Pending test;
  ASSERT_TRUE(test.world.catalog.refresh());
  test.time.passed += limit;
  test.world.loop.fire_timers();
  EXPECT_EQ(test.world.answers, (Answers{"a issued 1 pending"}));
}

TEST(IssuerDeadline, PendingIsToldByAProcessThatHeardFromTheGate) {
  Pending test;
  ProgressPoller(test.world.gate, test.world.watermarks).step();
  test.world.loop.fire_timers();
  EXPECT_EQ(test.world.answers, (Answers{"a issued 1 pending"}));
}

TEST(IssuerDeadline, PendingIsNotToldByAProcessThatHeardFromNeither) {
  Pending test;
  test.world.loop.fire_timers();
  EXPECT_EQ(test.world.answers, (Answers{"a late"}));
}

TEST(IssuerDeadline, WhatTheGateIsAskedBeforeASleepCountsFromThen) {
  Watermarks watermarks;
  const Ticker::TimePoint asked = Ticker::TimePoint() + 1h;
  const Watermark watermark{"c", 0, 2};
  watermarks.shown({&watermark, 1}, asked);
  watermarks.shown({&watermark, 1}, asked - 1s);
  EXPECT_EQ(watermarks.shown_at("c", 2), asked);
  const Watermark earlier{"c", 0, 1};
  watermarks.shown({&earlier, 1}, asked + 1s);
  EXPECT_EQ(watermarks.shown_at("c", 1), Ticker::TimePoint());
  const Watermark later{"c", 0, 3};
  watermarks.published({&later, 1});
  EXPECT_EQ(watermarks.shown_at("c", 2), Ticker::TimePoint());
  EXPECT_EQ(watermarks.shown_at("c", 3), Ticker::TimePoint());
}

}  // namespace
}  // namespace seonchak
