#include "core/progress/watermarks.hpp"

#include <algorithm>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "core/testing/loop.hpp"

namespace seonchak {
namespace {

using std::chrono::milliseconds;

constexpr AckWaitersOptions patient{std::chrono::hours(1), milliseconds(1), 100};
constexpr AckWaitersOptions hasty{milliseconds(0), milliseconds(1), 100};

void publish(Watermarks& watermarks, const std::string& id, Sequence sequence) {
  const Watermark watermark{id, sequence};
  watermarks.published({&watermark, 1});
}

void persist(Watermarks& watermarks, const std::string& id, Sequence sequence) {
  const Watermark watermark{id, sequence};
  watermarks.persisted({&watermark, 1});
}

/// Waiters on a loop run by hand, and what they were told.
struct Waiting {
  explicit Waiting(AckWaitersOptions options = patient)
      : waiters(std::make_unique<AckWaiters>(loop, watermarks, options)) {}

  void wait(const std::string& name, Ack ack, Sequence sequence, const std::string& coupon_id = "c") {
    waiters->wait({coupon_id, sequence}, ack,
                  [this, name](bool reached) { told.push_back(name + (reached ? " yes" : " no")); });
  }

  HandLoop loop;
  Watermarks watermarks;
  std::unique_ptr<AckWaiters> waiters;  // on the heap, where a sanitizer sees a use after its end
  std::vector<std::string> told;
};

using Told = std::vector<std::string>;

TEST(Watermarks, WatermarksOnlyEverRise) {
  Watermarks watermarks;
  publish(watermarks, "c", 7);
  publish(watermarks, "c", 3);
  persist(watermarks, "c", 5);
  persist(watermarks, "c", 4);
  EXPECT_EQ(watermarks.of("c").published, 7);
  EXPECT_EQ(watermarks.of("c").persisted, 5);
}

TEST(Watermarks, WhatTheStoreHasTheLogHad) {
  Watermarks watermarks;
  persist(watermarks, "c", 5);
  EXPECT_EQ(watermarks.of("c").published, 5);
}

TEST(Watermarks, TellsOfARiseAndOfNothingElse) {
  Watermarks watermarks;
  int calls = 0;
  const auto handle = watermarks.listen([&] { ++calls; });
  publish(watermarks, "c", 2);
  publish(watermarks, "c", 2);
  publish(watermarks, "c", 1);
  EXPECT_EQ(calls, 1);
  watermarks.forget(handle);
  publish(watermarks, "c", 3);
  EXPECT_EQ(calls, 1);
}

TEST(AckWaiters, AStageReachedBeforeWaitingAnswersAtOnce) {
  Waiting world;
  publish(world.watermarks, "c", 5);
  persist(world.watermarks, "c", 3);
  world.wait("log 5", Ack::log, 5);
  world.wait("store 3", Ack::store, 3);
  world.wait("gate 9", Ack::gate, 9);
  EXPECT_EQ(world.told, (Told{"log 5 yes", "store 3 yes", "gate 9 yes"}));
  EXPECT_EQ(world.waiters->size(), 0U);
}

TEST(AckWaiters, AreReleasedInTheOrderOfTheirSequence) {
  Waiting world;
  world.wait("third", Ack::log, 3);
  world.wait("first", Ack::log, 1);
  world.wait("second", Ack::log, 2);
  publish(world.watermarks, "c", 2);
  EXPECT_TRUE(world.told.empty()) << "answers come from the loop, never from the raising thread";
  world.loop.run();
  EXPECT_EQ(world.told, (Told{"first yes", "second yes"}));
  publish(world.watermarks, "c", 3);
  world.loop.run();
  EXPECT_EQ(world.told.back(), "third yes");
}

TEST(AckWaiters, TheLogDoesNotReleaseThoseWhoWaitForTheStore) {
  Waiting world;
  world.wait("log", Ack::log, 1);
  world.wait("store", Ack::store, 1);
  publish(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.told, (Told{"log yes"}));
  persist(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.told, (Told{"log yes", "store yes"}));
}

TEST(AckWaiters, TheStoreReleasesThoseWhoWaitForTheLog) {
  Waiting world;
  world.wait("log", Ack::log, 1);
  persist(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.told, (Told{"log yes"}));
}

TEST(AckWaiters, OneCouponDoesNotReleaseAnother) {
  Waiting world;
  world.wait("a", Ack::store, 1, "a");
  persist(world.watermarks, "b", 1);
  world.loop.run();
  EXPECT_TRUE(world.told.empty());
}

TEST(AckWaiters, AreToldNoWhenTimeIsUp) {
  Waiting world(hasty);
  world.wait("log", Ack::log, 1);
  world.wait("store", Ack::store, 1);
  EXPECT_EQ(world.loop.fire_timers(), 1U);
  EXPECT_EQ(world.told, (Told{"log no", "store no"}));
  publish(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.told.size(), 2U);
  EXPECT_EQ(world.loop.fire_timers(), 0U) << "nobody waits: no timer runs";
}

TEST(AckWaiters, TheTimerRunsAsLongAsSomeoneWaits) {
  Waiting world;
  world.wait("log", Ack::log, 1);
  EXPECT_EQ(world.loop.fire_timers(), 1U);
  EXPECT_EQ(world.loop.fire_timers(), 1U);
  EXPECT_TRUE(world.told.empty());
  publish(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.loop.fire_timers(), 1U);
  EXPECT_EQ(world.loop.fire_timers(), 0U);
  world.wait("again", Ack::log, 2);
  EXPECT_EQ(world.loop.fire_timers(), 1U);
}

TEST(AckWaiters, OneTooManyIsToldNoAtOnce) {
  Waiting world({std::chrono::hours(1), milliseconds(1), 2});
  for (const char* name : {"a", "b", "c"}) world.wait(name, Ack::log, 1);
  EXPECT_EQ(world.told, (Told{"c no"}));
  publish(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.told, (Told{"c no", "a yes", "b yes"}));
  world.wait("d", Ack::log, 2);
  EXPECT_EQ(world.waiters->size(), 1U);
}

TEST(AckWaiters, AnAnswerMayWaitAgain) {
  Waiting world;
  world.waiters->wait({"c", 1}, Ack::log, [&](bool) { world.wait("again", Ack::store, 1); });
  publish(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.waiters->size(), 1U);
  persist(world.watermarks, "c", 1);
  world.loop.run();
  EXPECT_EQ(world.told, (Told{"again yes"}));
}

TEST(AckWaiters, ALaterEpochConfirmsNothingOfAnEarlierOne) {
  Waiting world;
  const Watermark earlier{"c", 3, 1};
  const Watermark later{"c", 3, 2};
  std::vector<std::string> told;
  world.waiters->wait(earlier, Ack::log,
                      [&](bool yes) { told.push_back(yes ? "earlier yes" : "earlier no"); });
  world.waiters->wait(later, Ack::log, [&](bool yes) { told.push_back(yes ? "later yes" : "later no"); });
  world.watermarks.published({&later, 1});
  world.loop.run();
  world.waiters->wait(earlier, Ack::log, [&](bool yes) { told.push_back(yes ? "late yes" : "late no"); });
  EXPECT_EQ(told, (Told{"later yes", "earlier no", "late no"}));
}

TEST(AckWaiters, ManyRisesPostOneSweep) {
  Waiting world;
  for (int i = 1; i <= 10; ++i) publish(world.watermarks, "c", i);
  EXPECT_EQ(world.loop.run(), 1U);
  publish(world.watermarks, "c", 11);
  EXPECT_EQ(world.loop.run(), 1U);
}

TEST(AckWaiters, MayBeDestroyedWhileASweepAndATimerArePending) {
  Waiting world(hasty);
  world.wait("log", Ack::log, 1);
  publish(world.watermarks, "c", 1);
  world.waiters.reset();
  EXPECT_EQ(world.loop.run(), 2U) << "the relay's wake and the sweep";
  EXPECT_EQ(world.loop.fire_timers(), 1U);
  publish(world.watermarks, "c", 2);
  EXPECT_EQ(world.loop.run(), 0U);
  EXPECT_TRUE(world.told.empty());
}

TEST(AckWaiters, TheWatermarksKnowWhichCouponsAreWaitedFor) {
  Waiting world(hasty);
  AckWaiters other(world.loop, world.watermarks, patient);
  world.wait("1", Ack::log, 1);
  world.wait("2", Ack::store, 2);
  other.wait({"c", 3}, Ack::store, [](bool) {});
  other.wait({"d", 1}, Ack::store, [](bool) {});
  auto wanted = world.watermarks.wanted();
  std::ranges::sort(wanted);
  EXPECT_EQ(wanted, (Told{"c", "d"}));

  persist(world.watermarks, "d", 1);
  world.loop.run();
  EXPECT_EQ(world.watermarks.wanted(), (Told{"c"}));
  world.loop.fire_timers();
  EXPECT_EQ(world.told.size(), 2U);
  EXPECT_EQ(world.watermarks.wanted(), (Told{"c"})) << "the other loop still waits for it";
  persist(world.watermarks, "c", 3);
  world.loop.run();
  EXPECT_TRUE(world.watermarks.wanted().empty());
}

TEST(AckWaiters, WhoBeginsToWaitWakesTheRelayOfThisProcess) {
  Waiting world(hasty);
  EXPECT_EQ(world.watermarks.wants(), 0U);
  for (const int sequence : {1, 2}) {
    world.wait("waits", Ack::log, sequence);
    world.loop.run();
    const auto began = std::chrono::steady_clock::now();
    world.watermarks.somebody_waits().wait_for(std::chrono::seconds(60));
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
    EXPECT_EQ(world.watermarks.wants(), 1U) << "one coupon, however many wait for it";
  }
}

TEST(AckWaiters, TakeBackTheirWishesWhenDestroyed) {
  Waiting world;
  world.wait("1", Ack::log, 1);
  world.waiters.reset();
  EXPECT_TRUE(world.watermarks.wanted().empty());
}

TEST(AckWaiters, MissNoRiseOfAnotherThread) {
  constexpr int last = 5'000;
  Waiting world({std::chrono::hours(1), milliseconds(1), last});
  std::jthread raiser([&] {
    for (int i = 1; i <= last; ++i) {
      publish(world.watermarks, "c", i);
      persist(world.watermarks, "c", i);
    }
  });
  Sequence reached = 0;
  for (int i = 1; i <= last; ++i) {
    world.waiters->wait({"c", i}, i % 2 == 0 ? Ack::log : Ack::store, [&](bool yes) { reached += yes; });
    if (i % 7 == 0) world.loop.run();
  }
  EXPECT_TRUE(world.loop.run_until([&] { return world.waiters->size() == 0; }));
  EXPECT_EQ(reached, last);
}

}  // namespace
}  // namespace seonchak
