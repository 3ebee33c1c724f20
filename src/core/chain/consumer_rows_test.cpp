#include <gtest/gtest.h>

#include "core/chain/consumer.hpp"
#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"
#include "store/sqlite/connection.hpp"

namespace seonchak {
namespace {

/// Coupons "a" and "b" with three events each in the log, in one partition.
struct TwoCoupons : World {
  TwoCoupons() : relay(*this, log), life(*this, log) {
    for (const std::string id : {"a", "b"}) {
      create(id, 1'000);
      issue(id, 3);
    }
    relay.drain();
    life.steps(1);  // takes its partitions
  }

  std::int64_t position() const {
    const auto positions = sqlite->positions(life.log.group(), life.log.topic()).value();
    return positions.empty() ? 0 : positions.front().next_offset;
  }

  MemoryLog log;
  RelayLife relay;
  ConsumerLife life;
};

TEST(ConsumerRows, ACouponsRowThatIsHeldKeepsNoOtherCouponsRowsBack) {
  HandTime time;  // no try takes long
  TwoCoupons world;
  world.store.busy_coupons = {"a"};
  int saves = 0;
  std::size_t saved_meanwhile = 0;
  std::int64_t position_meanwhile = 0;
  world.store.on_save = [&](const SaveBatch&) {
    if (++saves < 8) return;
    saved_meanwhile = world.saved_sequences("b").size();
    position_meanwhile = world.position();
    world.store.busy_coupons.clear();
    world.store.on_save = nullptr;
  };
  world.life.drain();
  EXPECT_EQ(saved_meanwhile, 3U);
  EXPECT_EQ(position_meanwhile, 0) << "what is not saved yet must be read again after a crash";
  EXPECT_EQ(world.saved_sequences("a"), one_to(3));
  EXPECT_EQ(world.position(), 6);
  EXPECT_TRUE(world.log.dead_letters().empty());
}

TEST(ConsumerRows, ManyRejectedRowsGiveOthersTheirTurnAndAreDeadLetteredSoon) {
  constexpr int bad = 2'000;
  TwoCoupons world;
  std::vector<std::string> users;
  for (int i = 0; i < bad; ++i) users.push_back("bad" + std::to_string(i));
  world.store.rejected_users.insert(users.begin(), users.end());
  const Epoch epoch = world.create("sick", 10'000).epoch;
  for (int i = 0; i < bad; i += 500) {
    const std::vector<std::string> part(users.begin() + i, users.begin() + i + 500);
    ASSERT_TRUE(world.memory_gate.claim_now({"sick", epoch, 0, part}));
  }
  world.relay.drain();
  HandTime time;
  std::size_t saves = 0;
  world.store.on_save = [&](const SaveBatch&) {
    ++saves;
    time.passed += std::chrono::milliseconds(1);
  };
  while (time.passed < std::chrono::milliseconds(400)) world.life.steps(1);
  world.issue("b", 1);
  world.relay.drain();
  while (world.saved_sequences("b").size() < 4 && time.passed < std::chrono::seconds(10)) world.life.steps(1);
  EXPECT_LT(time.passed, std::chrono::seconds(1));
  world.life.drain();
  EXPECT_EQ(world.metrics.counter("seonchak_consumer_dead_letters_total", "").value(), std::uint64_t{bad});
  EXPECT_LT(saves, std::size_t{bad} * 3 / 2) << "little more than once each";
  EXPECT_EQ(world.saved_sequences("a"), one_to(3));
}

// As under a trigger that hangs.
TEST(ConsumerRows, WhatTakesLongToBeRefusedIsTriedSeldomAndWithLess) {
  HandTime time;
  TwoCoupons world;
  world.store.refused_coupons = {"a"};
  std::size_t tries = 0;
  std::size_t least = 1'000;
  world.store.on_save = [&](const SaveBatch& batch) {
    const auto of_a = std::ranges::count(batch.events, "a", &IssuedEvent::coupon_id);
    if (of_a == 0) return;
    ++tries;
    least = std::min(least, std::size_t(of_a));
    time.passed += std::chrono::seconds(3);
  };
  world.life.steps_for(std::chrono::seconds(10));
  EXPECT_EQ(world.saved_sequences("b"), one_to(3));
  world.life.steps_for(std::chrono::seconds(170));
  EXPECT_LE(tries, 10U);
  EXPECT_EQ(least, 1U);
  world.store.refused_coupons.clear();
  world.store.on_save = nullptr;
  world.life.steps_for(std::chrono::seconds(60));
  EXPECT_EQ(world.saved_sequences("a"), one_to(3));
}

// As of a process that was stopped for an hour inside a try.
TEST(ConsumerRows, ATryThatTookForEverIsRepeatedSoonAllTheSame) {
  HandTime time;
  TwoCoupons world;
  world.store.refused_coupons = {"a"};
  world.life.steps_for(std::chrono::seconds(10));
  world.store.on_save = [&](const SaveBatch&) {
    world.store.on_save = nullptr;
    time.passed += std::chrono::hours(1);
  };
  world.life.steps_for(std::chrono::seconds(5));
  ASSERT_FALSE(world.store.on_save) << "it was tried";
  world.store.refused_coupons.clear();
  world.life.steps_for(std::chrono::seconds(40));
  EXPECT_EQ(world.saved_sequences("a"), one_to(3));
}

TEST(ConsumerRows, EventsOfADeletedRowAreDeadLetteredAndTheOthersSaved) {
  TwoCoupons world;
  ASSERT_TRUE(
      SqliteConnection(world.dir.file("store.db"), 5'000).script("DELETE FROM coupon WHERE id = 'a'"));
  int saves = 0;
  world.store.on_save = [&](const SaveBatch&) {
    if (++saves > 100) std::abort();
  };
  world.life.drain();
  ASSERT_EQ(world.log.dead_letters().size(), 3U);
  for (const auto& letter : world.log.dead_letters()) EXPECT_EQ(letter.reason, "coupon_not_found");
  EXPECT_TRUE(world.saved_sequences("a").empty());
  EXPECT_EQ(world.saved_sequences("b"), one_to(3));
  EXPECT_EQ(world.position(), 6);
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_FALSE(world.catalog.snapshot()->find("a")) << "the catalog looks at once";
}

// As after a dump was restored: nothing new comes, and what was saved since must be read again.
TEST(ConsumerRows, APositionThatFellBackIsNoticedWithoutAnotherEvent) {
  HandTime time;
  TwoCoupons world;
  world.life.drain();
  EXPECT_EQ(world.position(), 6);
  const SaveBatch back{world.life.log.group(), world.life.log.topic(), {}, {{0, 6, 2}}};
  ASSERT_EQ(world.sqlite->save(back).value(), SaveOutcome::saved);
  const std::size_t before = world.faults.calls("positions");
  world.life.steps(3);
  time.passed += ConsumerOptions{}.compare_period;
  world.life.steps(3);
  EXPECT_GE(world.faults.calls("positions"), before + 2) << "compared, and started there";
  world.issue("a", 1);
  RelayLife(world, world.log, {.owner = "another"}).drain();
  world.life.drain();
  EXPECT_EQ(world.position(), 7);
  EXPECT_EQ(world.saved_sequences("a"), one_to(4));
}

}  // namespace
}  // namespace seonchak
