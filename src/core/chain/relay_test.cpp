#include "core/chain/relay.hpp"

#include <random>

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using Sequences = std::vector<Sequence>;

TEST(Relay, PublishesEachEventOnceInTheOrderOfItsSequence) {
  World world;
  MemoryLog log;
  for (const char* id : {"c", "d"}) world.create(id, 100);
  RelayLife life(world, log);
  for (int round = 0; round < 5; ++round) {
    world.issue("c", 3);
    world.issue("d", 2);
    life.drain();
  }
  EXPECT_EQ(logged_sequences(log, "c"), one_to(15));
  EXPECT_EQ(logged_sequences(log, "d"), one_to(10));
  EXPECT_EQ(world.progress("c").published, 15);
  EXPECT_EQ(world.watermarks.of("d").published, 10);
}

TEST(Relay, AnEventIsWhatTheGateDecided) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  const auto reply = world.memory_gate.claim_now({"c", 1, 0, {"kim", "lee"}}).value();
  RelayLife life(world, log);
  life.drain();

  const auto consumer = log.consumer();
  ASSERT_TRUE(consumer->start_at({}));
  const auto records = consumer->poll(10, no_wait)->records;
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(std::get<IssuedEvent>(records[1].message),
            (IssuedEvent{"c", "lee", 2, reply.claims[1].issued_at, 1}));
}

TEST(Relay, LeavesTheOutboxToTheConsumer) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  world.issue("c", 3);
  RelayLife life(world, log);
  life.drain();
  EXPECT_EQ(world.outbox("c").size(), 3U);
}

TEST(Relay, StopsAtAHoleAndPublishesWhatComesBeforeIt) {
  World world;
  MemoryLog log;
  for (const char* id : {"c", "d"}) world.create(id, 100);
  for (int i = 0; i < 5; ++i) world.issue("c", 1);
  world.memory_gate.forget_outbox_entry("c", 3);
  RelayLife life(world, log, {.durable = true});
  life.drain();
  life.drain();
  EXPECT_EQ(logged_sequences(log, "c"), one_to(2));
  EXPECT_EQ(world.progress("c").published, 2);
  world.issue("d", 1);
  life.drain();
  EXPECT_EQ(logged_sequences(log, "d"), one_to(1));
}

// Another relay has published it, and its mark is still on its way.
TEST(Relay, WhatWasSavedAndTrimmedIsNoHole) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  for (int i = 0; i < 5; ++i) world.issue("c", 1);
  const Watermark saved{"c", 3, 1};
  ASSERT_TRUE(world.memory_gate.raise_persisted({&saved, 1}).front());
  RelayLife life(world, log);
  life.drain();
  EXPECT_EQ(world.progress("c").published, 5);
}

TEST(Relay, ReplaysFromTheLastConfirmedWhenThePublisherLosesItsQueue) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  RelayLife life(world, log);
  world.issue("c", 3);
  life.drain();
  world.issue("c", 3);
  world.faults.fail("publisher_poll", Fault::before, 1, 1);
  life.drain();
  EXPECT_EQ(logged_sequences(log, "c"), one_to(6));

  world.issue("c", 2);
  world.faults.fail("publisher_poll", Fault::after, 1, 1);
  life.drain();
  EXPECT_EQ(logged_sequences(log, "c"), (Sequences{1, 2, 3, 4, 5, 6, 7, 8, 7, 8}));
}

TEST(Relay, IsNotDrainedWhenTheLastStepLostTheQueue) {
  World world;
  MemoryLog log({.events_max = 1});
  world.create("c", 100);
  world.issue("c", 2);
  RelayLife life(world, log);
  life.relay.step(no_wait);
  ASSERT_EQ(life.publisher.in_flight(), 1U);
  EXPECT_FALSE(life.relay.drained());
  world.faults.fail("publisher_poll", Fault::before, 1, 1);
  life.relay.step(no_wait);
  ASSERT_EQ(life.publisher.in_flight(), 0U);
  EXPECT_FALSE(life.relay.drained()) << "sequence 2 is in no log yet";
}

TEST(Relay, OutlivesAnyFailureOfTheGate) {
  for (const char* call : {"lease", "progress", "read", "raise_published"}) {
    for (const Fault fault : {Fault::before, Fault::after}) {
      World world;
      MemoryLog log;
      world.create("c", 100);
      RelayLife life(world, log, {.entries_max = 2});
      world.issue("c", 5);
      world.faults.fail(call, fault, 3, 1);
      life.drain();
      world.issue("c", 5);
      life.drain();
      EXPECT_EQ(logged_sequences(log, "c"), one_to(10)) << call;
      EXPECT_EQ(world.progress("c").published, 10) << call;
    }
  }
}

TEST(Relay, ACouponWhoseOutboxCannotBeReadStopsNoOther) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  world.create("d", 100);
  RelayLife life(world, log,
                 {.lease_ttl = std::chrono::hours(1), .lease_period = std::chrono::milliseconds(20)});
  life.drain();
  world.issue("c", 2);
  world.issue("d", 2);
  world.gate.unusable_outboxes.insert("c");
  life.drain();
  EXPECT_EQ(logged_sequences(log, "d"), one_to(2));
  EXPECT_TRUE(logged_sequences(log, "c").empty());

  world.gate.unusable_outboxes.clear();
  const auto one_is_published = [&] {
    life.relay.step(std::chrono::milliseconds(1));
    return world.progress("c").published == 2;
  };
  for (std::size_t i = 0; i < step_limit && !one_is_published(); ++i) {
  }
  EXPECT_EQ(logged_sequences(log, "c"), one_to(2));
}

TEST(Relay, WaitsForRoomInThePublishersQueue) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  ASSERT_TRUE(world.memory_gate.claim_now({"c", 1, 0, {"a", "b", "c", "d", "e", "f", "g"}}));
  world.issue("c", 3);
  RelayLife life(world, log, {.queue_max = 2});
  life.drain();
  EXPECT_EQ(logged_sequences(log, "c"), one_to(10));
}

TEST(Relay, ReadsNoFurtherThanItsLimitAheadOfTheLog) {
  World world;
  MemoryLog log({.events_max = 1});
  world.create("c", 100);
  world.issue("c", 20);
  RelayLife life(world, log, {.entries_max = 1, .in_flight_max = 3});
  for (int i = 0; i < 40; ++i) {
    life.relay.step(no_wait);
    EXPECT_LE(life.publisher.in_flight(), 3U);
  }
  EXPECT_FALSE(life.relay.drained());
}

TEST(Relay, ACouponWithoutRoomInThePublishersQueueStopsNoOther) {
  World world;
  MemoryLog log;
  for (const char* id : {"a", "sick", "z"}) world.create(id, 100);
  RelayLife life(world, log, {.entries_max = 2});
  life.publisher.no_room_for = {"sick"};
  for (int round = 0; round < 5; ++round) {
    for (const char* id : {"a", "sick", "z"}) world.issue(id, 3);
    for (int i = 0; i < 10; ++i) life.relay.step(no_wait);
  }
  for (const char* id : {"a", "z"}) EXPECT_EQ(logged_sequences(log, id), one_to(15)) << id;
  EXPECT_TRUE(logged_sequences(log, "sick").empty());
  EXPECT_FALSE(life.relay.drained());
  life.publisher.no_room_for.clear();
  life.drain();
  EXPECT_EQ(logged_sequences(log, "sick"), one_to(15));
}

TEST(Relay, NoticesANewCouponBeforeItsLeasesAreDue) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  RelayLife life(world, log, {.lease_ttl = std::chrono::hours(2), .lease_period = std::chrono::hours(1)});
  life.drain();
  world.create("d", 100);
  world.issue("d", 2);
  life.drain();
  EXPECT_EQ(logged_sequences(log, "d"), one_to(2));
}

TEST(Relay, OnlyTheOneWithTheLeasePublishes) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  world.issue("c", 3);
  RelayLife first(world, log, {.owner = "first", .durable = true, .lease_ttl = std::chrono::hours(1)});
  RelayLife second(world, log, {.owner = "second", .durable = true, .lease_ttl = std::chrono::hours(1)});
  first.relay.step(no_wait);
  second.drain();
  first.drain();
  EXPECT_EQ(logged_sequences(log, "c"), one_to(3));

  first.relay.release();
  world.issue("c", 3);
  second.drain();
  EXPECT_EQ(logged_sequences(log, "c"), one_to(6)) << "the second goes on where the first has ended";
}

TEST(Relay, TwoThatTakeTheLeaseFromEachOtherSkipNothing) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world;
    MemoryLog log;
    world.create("c", 1'000);
    std::mt19937_64 random(seed);
    const bool durable = seed % 2 == 0;
    RelayLife one(world, log, {.owner = "one", .durable = durable, .queue_max = 3, .entries_max = 2});
    RelayLife two(world, log, {.owner = "two", .durable = durable, .queue_max = 3, .entries_max = 2});
    world.faults.fail_at_random(seed, 15);
    for (int i = 0; i < 60; ++i) {
      if (random() % 3 == 0) world.issue("c", 1 + static_cast<int>(random() % 3));
      (random() % 2 == 0 ? one : two).relay.step(no_wait);
      if (random() % 10 == 0) one.relay.release();
    }
    world.faults.heal();
    one.drain();
    two.drain();
    const auto logged = first_seen(logged_sequences(log, "c"));
    EXPECT_EQ(logged, one_to(static_cast<int>(logged.size()))) << "seed " << seed;
    EXPECT_EQ(world.memory_gate.state("c")->sequence, static_cast<int>(logged.size())) << "seed " << seed;
  }
}

TEST(Relay, ARestartBeginsAtPublishedWhenTheLogIsDurable) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  world.issue("c", 3);
  const RelaySetup durable{.durable = true};
  RelayLife(world, log, durable).drain();
  world.issue("c", 2);
  RelayLife(world, log, durable).drain();
  EXPECT_EQ(logged_sequences(log, "c"), one_to(5));
}

TEST(Relay, ARestartInTheMiddleOfABatchPublishesTheRestOfIt) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  ASSERT_TRUE(world.memory_gate.claim_now({"c", 1, 0, {"a", "b", "c"}}));
  const Watermark published{"c", 1, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  RelayLife(world, log, {.durable = true}).drain();
  EXPECT_EQ(logged_sequences(log, "c"), (Sequences{2, 3}));
}

TEST(Relay, ARestartBeginsAtPersistedWhenTheLogDiedToo) {
  World world;
  world.create("c", 100);
  world.issue("c", 3);
  MemoryLog before;
  RelayLife(world, before).drain();
  const Watermark saved{"c", 1, 1};
  ASSERT_TRUE(world.memory_gate.raise_persisted({&saved, 1}).front());

  MemoryLog after;
  RelayLife(world, after).drain();
  EXPECT_EQ(logged_sequences(after, "c"), (Sequences{2, 3}));
}

TEST(Relay, StartsAfreshAfterItsRelease) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  world.issue("c", 6);
  RelayLife life(world, log, {.durable = true, .queue_max = 2, .lease_period = std::chrono::hours(1)});
  life.relay.step(no_wait);
  life.relay.release();
  EXPECT_FALSE(life.relay.drained());
  life.drain();
  EXPECT_EQ(first_seen(logged_sequences(log, "c")), one_to(6));
}

TEST(Relay, GathersWhatComesInQuickSuccession) {
  for (const Ack ack : {Ack::gate, Ack::log, Ack::store}) {
    HandTime time;
    World world;
    MemoryLog log;
    world.create("c", 100, ack);
    RelayLife life(world, log);
    world.issue("c", 1);
    life.relay.step(1ms);
    world.issue("c", 1);
    life.relay.step(1ms);
    const std::size_t at_once = logged_sequences(log, "c").size();
    EXPECT_EQ(at_once, ack == Ack::gate ? 1U : 2U)
        << to_string(ack) << ": a user who waits is not kept waiting";
    if (at_once == 2) continue;
    time.passed += RelayOptions().gather;
    life.relay.step(1ms);
    EXPECT_EQ(logged_sequences(log, "c"), one_to(2));
  }
}

TEST(Relay, DoesNotGatherWhileMoreIsThereThanOneReadTakes) {
  HandTime time;
  World world;
  MemoryLog log;
  world.create("c", 100);
  RelayLife life(world, log, {.entries_max = 3});
  world.issue("c", 7);
  for (int i = 0; i < 3; ++i) life.relay.step(1ms);
  EXPECT_EQ(logged_sequences(log, "c"), one_to(7));
}

}  // namespace
}  // namespace seonchak
