#include <algorithm>

#include <gtest/gtest.h>

#include "core/chain/consumer.hpp"
#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using std::chrono::milliseconds;

/// Two coupons in one partition, of which "sick" can be so; batches are of two records.
struct Shop : World {
  explicit Shop(const ConsumerOptions& options = in_twos()) : relay(*this, log), life(*this, log, options) {
    for (const char* id : {"well", "sick"}) create(id, 1'000);
    life.steps(1);
  }

  static ConsumerOptions in_twos() {
    ConsumerOptions options = ConsumerLife::impatient(2);
    options.waiting.records_max = 20;
    return options;
  }

  void add(const std::string& coupon_id, int count) {
    issue(coupon_id, count);
    relay.drain();
  }

  /// A stranger's record at the log's end.
  void write(Message message) {
    const std::vector<IssuedEvent> slot(1);
    life.log.strange[end_] = std::move(message);
    ASSERT_EQ(log.publisher()->publish(slot), 1U);
    ++end_;
  }

  /// One event of each coupon at a time.
  void add_both(int count) {
    for (int i = 0; i < count; ++i) {
      add("sick", 1);
      add("well", 1);
      end_ += 2;
    }
  }

  std::int64_t position() const {
    const auto positions = sqlite->positions(life.log.group(), life.log.topic()).value();
    return positions.empty() ? 0 : positions.front().next_offset;
  }

  std::int64_t gauge(const std::string& name) { return metrics.gauge(name, "").value(); }

  std::vector<std::string> letters() const {
    std::vector<std::string> texts;
    for (const auto& letter : log.dead_letters())
      texts.push_back(std::to_string(letter.record.offset) + " " + letter.reason);
    return texts;
  }

  MemoryLog log;
  RelayLife relay;
  ConsumerLife life;
  std::int64_t end_ = 0;
};

using Letters = std::vector<std::string>;

TEST(Waiting, LaterBatchesAreSavedWhileACouponsRowIsHeld) {
  HandTime time;  // no try takes long
  Shop world;
  world.store.busy_coupons.insert("sick");
  world.add_both(10);
  world.life.steps(60);
  EXPECT_EQ(world.saved_sequences("well"), one_to(10));
  EXPECT_EQ(world.progress("well").persisted, 10) << "and its outbox is trimmed";
  EXPECT_TRUE(world.saved_sequences("sick").empty());
  EXPECT_EQ(world.progress("sick").persisted, 0) << "what is not saved stays in the outbox";
  EXPECT_EQ(world.position(), 0);
  EXPECT_EQ(world.gauge("seonchak_consumer_waiting_records"), 10);
  EXPECT_EQ(world.life.log.kept.size(), 10U);
  world.store.busy_coupons.clear();
  world.life.drain();
  EXPECT_EQ(world.saved_sequences("sick"), one_to(10));
  EXPECT_EQ(world.progress("sick").persisted, 10);
  EXPECT_EQ(world.position(), 20);
  EXPECT_EQ(world.gauge("seonchak_consumer_waiting_records"), 0);
  EXPECT_TRUE(world.life.log.kept.empty());
}

TEST(Waiting, LaterBatchesAreSavedWhileTheDatabaseRefusesACoupon) {
  Shop world;
  world.store.refused_coupons.insert("sick");
  world.add_both(10);
  world.life.steps(60);
  EXPECT_EQ(world.saved_sequences("well"), one_to(10));
  EXPECT_EQ(world.position(), 0);
  EXPECT_TRUE(world.letters().empty()) << "a trigger can be mended";
  world.store.refused_coupons.clear();
  world.life.drain();
  EXPECT_EQ(world.saved_sequences("sick"), one_to(10));
  EXPECT_EQ(world.position(), 20);
}

TEST(Waiting, AHeldRowIsTriedOnceInABackoffHoweverManyBatchesCome) {
  HandTime time;
  ConsumerOptions options;
  options.batch_records_max = 2;
  Shop world(options);
  world.store.busy_coupons.insert("sick");
  std::size_t tries = 0;
  world.store.on_save = [&](const SaveBatch& batch) {
    tries += std::ranges::count(batch.events, "sick", &IssuedEvent::coupon_id) > 0 ? 1 : 0;
  };
  for (int second = 0; second < 60; ++second) {
    world.add_both(5);
    world.life.steps_for(milliseconds(1'000));
  }
  EXPECT_EQ(world.saved_sequences("well"), one_to(300));
  EXPECT_GE(tries, 30U);
  EXPECT_LE(tries, 40U);
}

TEST(Waiting, ManyHeldRowsOfOneBatchDoNotTakeTheTurnsOfOthers) {
  ConsumerOptions options = ConsumerLife::impatient(100);
  options.backoff = BackoffOptions();
  HandTime time;
  Shop world(options);
  for (int i = 0; i < 30; ++i) {
    const std::string id = "held" + std::to_string(i);
    world.create(id, 10);
    world.store.busy_coupons.insert(id);
    world.issue(id, 1);
  }
  world.add("well", 1);
  world.life.steps(2);
  world.add("sick", 5);
  int steps = 0;
  while (world.saved_sequences("sick").size() < 5 && steps < 100) world.life.steps(1), ++steps;
  EXPECT_LE(steps, 10);
  world.life.steps(100);
  EXPECT_EQ(world.saved_sequences("well"), one_to(1));
  world.store.busy_coupons.clear();
  world.life.steps_for(milliseconds(5'000));
  EXPECT_EQ(world.saved_sequences("held29"), one_to(1));
  EXPECT_EQ(world.position(), 36);
}

TEST(Waiting, ThePositionMovesOverWhatIsSettledFromTheFrontOnly) {
  HandTime time;  // no try takes long
  Shop world;
  world.add_both(2);
  world.store.busy_coupons.insert("sick");
  world.life.steps(20);
  world.add("well", 4);
  world.add("sick", 1);
  world.life.steps(20);
  EXPECT_EQ(world.position(), 0);
  // The first of them can be saved now, and the last one not.
  world.store.busy_coupons.clear();
  world.store.on_save = [&](const SaveBatch& batch) {
    const auto last = [](const IssuedEvent& event) {
      return event.coupon_id == "sick" && event.sequence == 3;
    };
    world.store.busy_coupons.clear();
    if (std::ranges::any_of(batch.events, last)) world.store.busy_coupons.insert("sick");
  };
  world.life.steps(20);
  EXPECT_EQ(world.saved_sequences("well"), one_to(6));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(2));
  EXPECT_EQ(world.position(), 8) << "behind the last batch that is wholly settled";
}

TEST(Waiting, ACrashLosesNothingOfWhatIsSetAside) {
  World world;
  MemoryLog log;
  RelayLife relay(world, log);
  for (const char* id : {"well", "sick"}) world.create(id, 1'000);
  world.store.busy_coupons.insert("sick");
  for (int i = 0; i < 5; ++i) {
    for (const char* id : {"well", "sick"}) world.issue(id, 1);
    relay.drain();
  }
  {
    ConsumerLife life(world, log, 2);
    life.steps(40);
    EXPECT_EQ(world.saved_sequences("well"), one_to(5));
  }
  world.store.busy_coupons.clear();
  ConsumerLife life(world, log, 2);
  life.drain();
  EXPECT_EQ(world.saved_sequences("well"), one_to(5));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(5));
  EXPECT_EQ(world.progress("sick").persisted, 5);
}

TEST(Waiting, AtItsLimitNothingMoreIsRead) {
  HandTime time;  // no try takes long
  Shop world;
  world.store.busy_coupons.insert("sick");
  world.add_both(30);
  world.life.steps(200);
  EXPECT_EQ(world.gauge("seonchak_consumer_waiting_records"), 20);
  EXPECT_EQ(world.saved_sequences("well"), one_to(20));
  const std::size_t polls = world.faults.calls("consumer_poll");
  world.life.steps(20);
  EXPECT_GT(world.faults.calls("consumer_poll"), polls) << "the group is served all the same";
  EXPECT_EQ(world.gauge("seonchak_consumer_waiting_records"), 20);
  world.store.busy_coupons.clear();
  world.life.drain();
  EXPECT_EQ(world.saved_sequences("well"), one_to(30));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(30));
}

TEST(Waiting, ItsBytesAreLimitedToo) {
  HandTime time;  // no try takes long
  ConsumerOptions options = Shop::in_twos();
  options.waiting.bytes_max = 1'000;
  Shop world(options);
  world.life.log.bytes_kept_of_each = 100;
  world.store.busy_coupons.insert("sick");
  world.add_both(30);
  world.life.steps(200);
  EXPECT_EQ(world.gauge("seonchak_consumer_waiting_records"), 10);
  world.store.busy_coupons.clear();
  world.life.drain();
  EXPECT_EQ(world.saved_sequences("sick"), one_to(30));
}

TEST(Waiting, LaterEventsAreSavedWhileTheDeadLetterTopicRefuses) {
  Shop world;
  world.faults.fail("dead_letter", Fault::before);
  for (int i = 0; i < 4; ++i) {
    world.write(Malformed{"not JSON"});
    world.add_both(1);
  }
  world.life.steps(80);
  EXPECT_EQ(world.saved_sequences("well"), one_to(4));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(4));
  EXPECT_EQ(world.position(), 0);
  EXPECT_TRUE(world.letters().empty());
  world.faults.heal();
  world.life.drain();
  EXPECT_EQ(world.letters(), (Letters{"0 not JSON", "3 not JSON", "6 not JSON", "9 not JSON"}));
  EXPECT_EQ(world.position(), 12);
}

TEST(Waiting, BareRequestsOfACouponAreDecidedInTheLogsOrderWhateverWaits) {
  Shop world;
  world.faults.fail("claim_now", Fault::before);
  for (int i = 0; i < 6; ++i) world.write(BareRequest{"sick", "bare" + std::to_string(i)});
  world.life.steps(30);
  EXPECT_EQ(world.gauge("seonchak_consumer_waiting_records"), 6);
  world.faults.heal();
  world.life.drain();
  const auto entries = world.outbox("sick");
  std::vector<std::string> users;
  for (const OutboxEntry& entry : entries) users.insert(users.end(), entry.users.begin(), entry.users.end());
  EXPECT_EQ(users, (std::vector<std::string>{"bare0", "bare1", "bare2", "bare3", "bare4", "bare5"}));
  EXPECT_EQ(world.position(), 6);
}

TEST(Waiting, OneCouponsBareRequestsHoldUpNoOthers) {
  Shop world;
  world.gate.undecided_claims.insert("sick");
  for (int i = 0; i < 4; ++i) {
    world.write(BareRequest{"sick", "bare" + std::to_string(i)});
    world.write(BareRequest{"well", "bare" + std::to_string(i)});
  }
  world.life.steps(40);
  EXPECT_EQ(world.outbox("well").size(), 4U);
  EXPECT_TRUE(world.outbox("sick").empty());
  world.gate.undecided_claims.clear();
  world.life.drain();
  EXPECT_EQ(world.outbox("sick").size(), 4U);
}

TEST(Waiting, WhatIsSetAsideIsNotTakenForLostByTheLog) {
  HandTime time;
  ConsumerOptions options;
  options.batch_records_max = 2;
  Shop world(options);
  world.store.busy_coupons.insert("sick");
  world.add_both(5);
  world.life.steps_for(milliseconds(20'000));
  world.store.busy_coupons.clear();
  world.life.steps_for(milliseconds(5'000));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(5));
  EXPECT_EQ(world.progress("sick").persisted, 5);
  EXPECT_EQ(world.metrics.counter("seonchak_consumer_lost_by_log_total", "").value(), 0U);
}

TEST(Waiting, IsToldToHealthWithItsReason) {
  HandTime time;
  ConsumerOptions options;
  options.batch_records_max = 2;
  Shop world(options);
  world.store.refused_coupons.insert("sick");
  world.add_both(5);
  world.life.steps_for(milliseconds(9'000));
  EXPECT_TRUE(world.health.dependencies().at("consumer").up);
  world.life.steps_for(milliseconds(2'000));
  const auto told = world.health.dependencies().at("consumer");
  EXPECT_FALSE(told.up);
  EXPECT_NE(told.detail.find("coupon sick"), std::string::npos) << told.detail;
  EXPECT_NE(told.detail.find("P0001"), std::string::npos) << told.detail;
  EXPECT_GE(world.gauge("seonchak_consumer_stalled_seconds"), 10);
  world.store.refused_coupons.clear();
  world.life.steps_for(milliseconds(5'000));
  EXPECT_TRUE(world.health.dependencies().at("consumer").up);
  EXPECT_EQ(world.gauge("seonchak_consumer_stalled_seconds"), 0);
}

TEST(Waiting, AnUndisturbedBatchIsOneTransactionAndKeepsNothing) {
  Shop world;
  world.add_both(1);
  const std::size_t saves = world.faults.calls("save");
  world.life.steps(4);
  EXPECT_EQ(world.faults.calls("save"), saves + 1);
  EXPECT_EQ(world.position(), 2);
  EXPECT_TRUE(world.life.log.kept.empty());
}

TEST(Waiting, APositionThatSomebodyHoldsKeepsNoRowsBack) {
  Shop world;
  world.store.busy_positions = true;
  world.add_both(5);
  world.life.steps(40);
  EXPECT_EQ(world.saved_sequences("well"), one_to(5));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(5));
  EXPECT_EQ(world.position(), 0);
  world.store.busy_positions = false;
  world.life.drain();
  EXPECT_EQ(world.position(), 10);
}

TEST(Waiting, IsDroppedAndReadAgainWhenAnotherMemberHasMovedThePosition) {
  HandTime time;  // no try takes long
  Shop world;
  world.store.busy_coupons.insert("sick");
  world.add_both(3);
  world.life.steps(20);
  ASSERT_TRUE(world.sqlite->save({world.life.log.group(), world.life.log.topic(), {}, {{0, 0, 2}}}));
  world.store.busy_coupons.clear();
  world.life.drain();
  EXPECT_EQ(world.saved_sequences("well"), one_to(3));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(3));
  EXPECT_EQ(world.position(), 6);
  EXPECT_TRUE(world.life.log.kept.empty());
}

// While something waits, rows are saved without the position, so no save would find out.
TEST(Waiting, APositionThatFellBackMeanwhileIsNoticedThoughTheLogIsNeverQuiet) {
  HandTime time;
  Shop world;
  world.add_both(2);
  world.life.drain();
  ASSERT_EQ(world.position(), 4);
  world.store.busy_coupons.insert("sick");
  world.add_both(1);
  world.life.steps(10);
  ASSERT_TRUE(world.sqlite->save({world.life.log.group(), world.life.log.topic(), {}, {{0, 4, 2}}}));
  const std::size_t before = world.faults.calls("start_at");
  for (int i = 0; i < 8; ++i) {
    time.passed += std::chrono::seconds(1);
    world.add_both(1);
    world.life.steps(1);
  }
  EXPECT_GT(world.faults.calls("start_at"), before) << "what was saved since is read again";
  world.store.busy_coupons.clear();
  world.life.drain();
  EXPECT_EQ(world.saved_sequences("well"), one_to(11));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(11));
}

TEST(Waiting, AnOutageOfTheStoreMeanwhileIsWaitedOut) {
  HandTime time;  // no try takes long
  Shop world;
  world.store.busy_coupons.insert("sick");
  world.add_both(3);
  world.life.steps(10);
  world.faults.fail_at_random(7, 30);
  world.add_both(3);
  world.life.steps(100);
  world.store.busy_coupons.clear();
  world.life.steps(100);
  world.faults.heal();
  for (int i = 0; i < 3; ++i) {
    world.relay.drain();
    world.life.drain();
  }
  EXPECT_EQ(world.saved_sequences("well"), one_to(6));
  EXPECT_EQ(world.saved_sequences("sick"), one_to(6));
  EXPECT_TRUE(world.letters().empty());
}

}  // namespace
}  // namespace seonchak
