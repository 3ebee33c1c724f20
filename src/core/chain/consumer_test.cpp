#include "core/chain/consumer.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

/// A coupon "c" with `issued` events in the log, one record each.
struct Logged : World {
  explicit Logged(int issued, MemoryLogOptions options = {}) : log(options), relay(*this, log) {
    create("c", 1'000);
    add(issued);
  }

  void add(int count) {
    issue("c", count);
    relay.drain();
  }

  std::int64_t position() const {
    const auto consumer_group = MemoryLogOptions().group;
    const auto positions = sqlite->positions(consumer_group, topic).value();
    return positions.empty() ? 0 : positions.front().next_offset;
  }

  MemoryLog log;
  RelayLife relay;
  const std::string topic = log.consumer()->topic();
};

TEST(Consumer, SavesABatchAndTrimsTheOutbox) {
  Logged world(5);
  ConsumerLife life(world, world.log);
  life.steps(2);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
  EXPECT_TRUE(world.outbox("c").empty());
  EXPECT_EQ(world.progress("c").persisted, 5);
  EXPECT_EQ(world.watermarks.of("c").persisted, 5);
  EXPECT_EQ(world.position(), 5);
}

TEST(Consumer, ATransactionIsNoLargerThanItsLimit) {
  Logged world(5);
  ConsumerLife life(world, world.log, 2);
  std::vector<std::size_t> sizes;
  world.store.on_save = [&](const SaveBatch& batch) { sizes.push_back(batch.events.size()); };
  life.steps(4);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 1}));
}

TEST(Consumer, WaitsForAStoreThatIsAwayAndDeadLettersNothing) {
  Logged world(5);
  ConsumerLife life(world, world.log);
  world.faults.fail("save", Fault::before, 5);
  life.steps(7);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
  EXPECT_TRUE(world.log.dead_letters().empty());
}

TEST(Consumer, ACommitInDoubtIsHarmless) {
  Logged world(5);
  ConsumerLife life(world, world.log);
  world.faults.fail("save", Fault::after, 1);
  life.steps(4);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
  EXPECT_TRUE(world.outbox("c").empty());
  EXPECT_EQ(world.watermarks.of("c").persisted, 5) << "those who wait for the store must hear of it";
  EXPECT_EQ(world.position(), 5);
}

TEST(Consumer, ACommitInDoubtOfAllTheLogHoldsDoesNotBlockTheLog) {
  Logged world(2, {.events_max = 2});
  ConsumerLife life(world, world.log);
  world.faults.fail("save", Fault::after, 1);
  life.steps(4);
  world.add(2);
  life.steps(2);
  EXPECT_EQ(world.saved_sequences("c"), one_to(4));
}

TEST(Consumer, GoesOnFromTheStoresPositionWhenAnotherMemberWasFaster) {
  Logged world(5);
  ConsumerLife life(world, world.log);
  bool first = true;
  std::vector<Sequence> saved_after;
  world.store.on_save = [&](const SaveBatch& batch) {
    if (!std::exchange(first, false)) {
      for (const IssuedEvent& event : batch.events) saved_after.push_back(event.sequence);
      return;
    }
    const std::vector<IssuedEvent> two(batch.events.begin(), batch.events.begin() + 2);
    ASSERT_EQ(world.sqlite->save({batch.group, batch.topic, two, {{0, 0, 2}}}).value(), SaveOutcome::saved);
  };
  life.steps(4);
  EXPECT_EQ(saved_after, (std::vector<Sequence>{3, 4, 5}));
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
  EXPECT_EQ(world.position(), 5);
  EXPECT_TRUE(world.outbox("c").empty());
}

TEST(Consumer, ARestartDoesNotReadAgainWhatIsSaved) {
  Logged world(5);
  ConsumerLife(world, world.log).steps(2);
  world.add(2);
  std::size_t events = 0;
  world.store.on_save = [&](const SaveBatch& batch) { events += batch.events.size(); };
  ConsumerLife(world, world.log).steps(3);
  EXPECT_EQ(events, 2U);
  EXPECT_EQ(world.saved_sequences("c"), one_to(7));
}

TEST(Consumer, ACrashBetweenCommitAndTrimIsHealedWithoutFurtherEvents) {
  Logged world(5);
  world.faults.fail("raise_persisted", Fault::before);
  ConsumerLife(world, world.log).steps(3);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
  EXPECT_EQ(world.outbox("c").size(), 5U);

  world.faults.heal();
  ConsumerLife(world, world.log).steps(4);
  EXPECT_TRUE(world.outbox("c").empty());
  EXPECT_EQ(world.progress("c").persisted, 5);
}

TEST(Consumer, AFailedTrimIsRepeated) {
  Logged world(5);
  ConsumerLife life(world, world.log);
  world.faults.fail("raise_persisted", Fault::before, 2);
  life.steps(5);
  EXPECT_TRUE(world.outbox("c").empty());
}

TEST(Consumer, OutlivesAnyFailureOnItsWay) {
  for (const char* call :
       {"consumer_poll", "start_at", "positions", "save", "raise_persisted", "progress", "holders"}) {
    for (const Fault fault : {Fault::before, Fault::after}) {
      Logged world(5);
      ConsumerLife life(world, world.log, 2);
      world.faults.fail(call, fault, 3);
      life.steps(16);
      EXPECT_EQ(world.saved_sequences("c"), one_to(5)) << call;
      EXPECT_TRUE(world.outbox("c").empty()) << call;
      EXPECT_TRUE(world.log.dead_letters().empty()) << call;
    }
  }
}

TEST(Consumer, WhatIsUnderWayAtItsEndIsReadAgainByTheNextLife) {
  Logged world(5);
  {
    ConsumerLife life(world, world.log);
    world.faults.fail("save", Fault::before);
    life.steps(3);
    EXPECT_FALSE(life.consumer.idle());
    EXPECT_TRUE(world.saved_sequences("c").empty());
  }
  world.faults.heal();
  ConsumerLife(world, world.log).steps(2);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
}

// A step waits for nothing: it says when to come again, later each time.
TEST(Consumer, AStepThatCannotGoOnSaysWhenToComeAgain) {
  HandTime time;
  Logged world(5);
  ConsumerLife life(world, world.log, ConsumerOptions());
  Consumer& consumer = life.consumer;
  consumer.step(no_wait);
  world.faults.fail("save", Fault::before);
  const auto before = time.passed;
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 8; ++i) {
    const auto pause = consumer.step(no_wait);
    pauses.push_back(pause.count());
    EXPECT_EQ(consumer.step(no_wait), pause) << "too early: nothing is done";
    EXPECT_EQ(world.faults.calls("save"), static_cast<std::size_t>(i) + 1);
    time.passed += pause;
  }
  EXPECT_EQ(pauses, (std::vector<std::int64_t>{50, 100, 200, 400, 800, 1'600, 2'000, 2'000}));
  EXPECT_EQ(time.passed - before, std::chrono::milliseconds(7'150)) << "nobody else has slept";
  world.faults.heal();
  EXPECT_EQ(consumer.step(no_wait), no_wait);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
}

TEST(Consumer, ABatchThatWaitsForLongIsToldToHealth) {
  HandTime time;
  Logged world(5);
  ConsumerLife life(world, world.log);
  life.steps(1);
  world.faults.fail("save", Fault::before);
  life.steps(1);
  EXPECT_TRUE(world.health.dependencies().at("consumer").up);
  time.passed += ConsumerOptions().stalled_after;
  life.steps(1);
  const auto told = world.health.dependencies().at("consumer");
  EXPECT_FALSE(told.up);
  EXPECT_NE(told.detail.find("injected into save"), std::string::npos) << told.detail;
  EXPECT_NE(world.metrics.text().find("seonchak_consumer_stalled_seconds 10"), std::string::npos);
  world.faults.heal();
  life.steps(2);
  EXPECT_TRUE(world.health.dependencies().at("consumer").up);
  EXPECT_NE(world.metrics.text().find("seonchak_consumer_stalled_seconds 0"), std::string::npos);
}

TEST(Consumer, LeavesTheDatabaseAMomentBetweenTwoTransactionsUnlessSomebodyWaits) {
  for (const Ack ack : {Ack::gate, Ack::store}) {
    HandTime time;
    World world;
    MemoryLog log;
    world.create("c", 100, ack);
    RelayLife relay(world, log);
    ConsumerLife life(world, log);
    life.steps(1);
    for (int i = 0; i < 3; ++i) {
      world.issue("c", 1);
      relay.drain();
      while (const auto pause = life.consumer.step(std::chrono::milliseconds(1)).count())
        time.passed += std::chrono::milliseconds(pause);
    }
    EXPECT_EQ(world.saved_sequences("c"), one_to(3));
    EXPECT_EQ(time.passed >= 2 * ConsumerOptions().gather, ack == Ack::gate);
  }
}

// A topic that is deleted takes along what the log had confirmed and the consumer had not read.
TEST(Consumer, SavesFromTheOutboxWhatTheLogHasLostBeforeALaterEvent) {
  World world;
  MemoryLog deleted;
  MemoryLog anew;
  world.create("c", 100);
  world.issue("c", 2);
  RelayLife(world, deleted, {.durable = true}).drain();
  world.issue("c", 1);
  RelayLife(world, anew, {.owner = "next", .durable = true}).drain();
  ASSERT_EQ(logged_sequences(anew, "c"), (std::vector<Sequence>{3}));
  ConsumerLife life(world, anew);
  life.steps(3);
  EXPECT_EQ(world.saved_sequences("c"), one_to(3));
  EXPECT_EQ(world.progress("c").persisted, 3);
  EXPECT_TRUE(world.outbox("c").empty());
}

TEST(Consumer, SavesFromTheOutboxWhatTheLogHasLostAtItsEnd) {
  HandTime time;
  World world;
  MemoryLog deleted;
  MemoryLog anew;
  world.create("c", 100);
  world.issue("c", 2);
  RelayLife(world, deleted, {.durable = true}).drain();
  ConsumerLife life(world, anew);
  life.steps(3);
  EXPECT_TRUE(world.saved_sequences("c").empty()) << "it may just not have come yet";
  time.passed += RepairOptions().overdue;
  life.steps(2);
  EXPECT_EQ(world.saved_sequences("c"), one_to(2));
  EXPECT_EQ(world.progress("c").persisted, 2);
}

// Of two clocks an hour apart neither says how long an entry has been waiting.
TEST(Consumer, WhatTheLogHasLostIsSavedWhateverTheWallClockSays) {
  for (const auto skew : {std::chrono::hours(-1), std::chrono::hours(1)}) {
    HandTime time;
    World world;
    MemoryLog deleted;
    MemoryLog anew;
    world.create("c", 100);
    world.issue("c", 2);
    RelayLife(world, deleted, {.durable = true}).drain();
    time.wall_ahead = skew;
    ConsumerLife life(world, anew);
    life.steps(3);
    time.passed += RepairOptions().overdue - std::chrono::milliseconds(1);
    life.steps(2);
    EXPECT_TRUE(world.saved_sequences("c").empty()) << skew.count();
    time.passed += std::chrono::milliseconds(1);
    life.steps(2);
    EXPECT_EQ(world.saved_sequences("c"), one_to(2)) << skew.count();
  }
}

}  // namespace
}  // namespace seonchak
