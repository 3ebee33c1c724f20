#include "core/consume.hpp"

#include <gtest/gtest.h>

#include "core/ticker_fixture.hpp"
#include "core/world_fixture.hpp"

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
  EXPECT_EQ(world.board.of("c").persisted, 5);
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
  life.steps(2);
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
  EXPECT_EQ(world.board.of("c").persisted, 5) << "those who wait for the store must hear of it";
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
  std::vector<std::int64_t> saved_after;
  world.store.on_save = [&](const SaveBatch& batch) {
    if (!std::exchange(first, false)) {
      for (const IssuedEvent& event : batch.events) saved_after.push_back(event.sequence);
      return;
    }
    const std::vector<IssuedEvent> two(batch.events.begin(), batch.events.begin() + 2);
    ASSERT_EQ(world.sqlite->save({batch.group, batch.topic, two, {{0, 0, 2}}}).value(), SaveOutcome::saved);
  };
  life.steps(4);
  EXPECT_EQ(saved_after, (std::vector<std::int64_t>{3, 4, 5}));
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
  world.faults.fail("mark_persisted", Fault::before);
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
  world.faults.fail("mark_persisted", Fault::before, 2);
  life.steps(5);
  EXPECT_TRUE(world.outbox("c").empty());
}

TEST(Consumer, OutlivesAnyFailureOnItsWay) {
  for (const char* call :
       {"consumer_poll", "start_at", "positions", "save", "mark_persisted", "progress", "holders"}) {
    for (const Fault fault : {Fault::before, Fault::after}) {
      Logged world(5);
      ConsumerLife life(world, world.log, 2);
      world.faults.fail(call, fault, 3);
      life.steps(12);
      EXPECT_EQ(world.saved_sequences("c"), one_to(5)) << call;
      EXPECT_TRUE(world.outbox("c").empty()) << call;
      EXPECT_TRUE(world.log.dead_letters().empty()) << call;
    }
  }
}

TEST(Consumer, StopEndsAWaitAndTheNextLifeReadsItAgain) {
  Logged world(5);
  {
    ConsumerLife life(world, world.log);
    world.faults.fail("save", Fault::before);
    world.store.on_save = [&](const SaveBatch&) { life.consumer.stop(); };
    life.steps(2);
    EXPECT_TRUE(world.saved_sequences("c").empty());
  }
  world.faults.heal();
  world.store.on_save = nullptr;
  ConsumerLife(world, world.log).steps(2);
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
}

// Whoever goes on stepping after stop() must not save what comes behind a batch that was given up.
TEST(Consumer, PassesOverNothingThatItGaveUp) {
  for (const char* also_failing : {"none", "positions", "start_at"}) {
    Logged world(4);
    ConsumerLife life(world, world.log, 2);
    world.store.on_save = [&](const SaveBatch&) { life.consumer.stop(); };
    life.steps(1);
    world.faults.fail("save", Fault::before, 1);
    world.faults.fail(also_failing, Fault::before, 1);
    life.steps(6);
    const auto saved = world.saved_sequences("c");
    EXPECT_EQ(saved, one_to(static_cast<std::int64_t>(saved.size()))) << also_failing;
  }
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
      life.consumer.step(std::chrono::milliseconds(1));
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
  ASSERT_EQ(logged_sequences(anew, "c"), (std::vector<std::int64_t>{3}));
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
  time.passed += ConsumerOptions().overdue;
  life.steps(2);
  EXPECT_EQ(world.saved_sequences("c"), one_to(2));
  EXPECT_EQ(world.progress("c").persisted, 2);
}

}  // namespace
}  // namespace seonchak
