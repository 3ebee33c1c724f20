#include "core/chain/repair.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

IssuedEvent event_of(const std::string& coupon_id, Sequence sequence) {
  return {coupon_id, "user", sequence, now(), 1};
}

TEST(Repair, AsksForTheUnknownCouponsOfABatchTogether) {
  World world;
  std::vector<CouponEpoch> batch;
  for (const char* id : {"c", "d", "e"}) {
    world.create(id, 10);
    world.issue(id, 3);
    const Watermark saved{id, 2, 1};
    ASSERT_TRUE(world.memory_gate.raise_persisted({&saved, 1}).front());
    batch.push_back({id, 1});
  }
  Repair repair(world.store, world.gate, world.metrics);
  for (int round = 0; round < 2; ++round) {
    const std::size_t before = world.faults.calls("progress");
    repair.expect(batch);
    for (const auto& [id, epoch] : batch) EXPECT_EQ(repair.handled(event_of(id, 3)), (Watermark{id, 3, 1}));
    EXPECT_EQ(world.faults.calls("progress"), before + 1);
    EXPECT_FALSE(repair.found_gap());
    repair.expect(batch);
    EXPECT_EQ(world.faults.calls("progress"), before + 1) << "they are known now";
    repair.forget();
  }
}

TEST(Repair, WithoutTheGatesAnswerNothingIsKnownToBeSaved) {
  World world;
  world.create("c", 10);
  world.issue("c", 3);
  Repair repair(world.store, world.gate, world.metrics);
  world.faults.fail("progress", Fault::before);
  const CouponEpoch coupon{"c", 1};
  repair.expect({&coupon, 1});
  EXPECT_EQ(repair.handled(event_of("c", 3)), std::nullopt);
  EXPECT_TRUE(repair.found_gap());
}

/// Two coupons in a log that has lost their events, and 500 at rest.
struct Lost : World {
  Lost() {
    for (int i = 0; i < 500; ++i) create("rest" + std::to_string(i), 10);
    for (const char* id : {"c", "d"}) {
      create(id, 10);
      issue(id, 2);
    }
    MemoryLog deleted;
    RelayLife(*this, deleted, {.durable = true}).drain();
  }

  /// Looks for `duration` of the ticker's time, ten times a second. Returns how many coupons were asked for.
  std::size_t look(Repair& repair, std::chrono::milliseconds duration,
                   EventConsumer::Reach reach = EventConsumer::Reach::to_end) {
    const auto no = [](const std::string&) { return false; };
    const auto read = [reach](const std::string&) { return reach; };
    std::size_t asked = 0;
    gate.on_progress = [&](std::size_t count) { asked += count; };
    for (const auto until = time.passed + duration; time.passed < until; time.passed += step) {
      const auto watermarks = repair.step(*catalog.snapshot(), {"group", "topic", no, read}, true);
      for (const auto& answer : memory_gate.raise_persisted(watermarks)) EXPECT_TRUE(answer);
    }
    gate.on_progress = nullptr;
    return asked;
  }

  std::uint64_t lost() { return metrics.counter("seonchak_consumer_lost_by_log_total", "").value(); }

  static constexpr std::chrono::milliseconds step{100};
  HandTime time;
};

TEST(Repair, LooksAtHintedCouponsAndAtNoOthers) {
  Lost world;
  Repair repair(world.store, world.gate, world.metrics);
  const std::size_t asked = world.look(repair, std::chrono::seconds(10));
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
  EXPECT_LE(asked, 20U) << "two coupons, every two seconds";
}

TEST(Repair, FindsACouponWhoseHintWasLost) {
  Lost world;
  for (const auto& [id, hint] : world.memory_gate.active(1'000).value())
    ASSERT_TRUE(world.memory_gate.settle_active(id, hint));
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::seconds(10));
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
}

TEST(Repair, ForgetsCouponsAtRest) {
  Lost world;
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, RepairOptions().forget_after + std::chrono::seconds(20));
  for (const auto& [id, hint] : world.memory_gate.active(1'000).value())
    ASSERT_TRUE(world.memory_gate.settle_active(id, hint));
  EXPECT_EQ(world.look(repair, std::chrono::seconds(20)), 0U);
}

TEST(Repair, ACouponThatCannotBeUsedStopsNoOther) {
  Lost world;
  world.gate.unusable_outboxes.insert("c");
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::seconds(10));
  EXPECT_EQ(world.saved_sequences("d"), one_to(2));
}

TEST(Repair, RowsThatAreHeldKeepNoOtherCouponWaiting) {
  Lost world;
  for (int i = 0; i < 5; ++i) {
    const std::string id = "a" + std::to_string(i);
    world.create(id, 10);
    world.issue(id, 2);
    world.store.busy_coupons.insert(id);
  }
  MemoryLog deleted;
  RelayLife(world, deleted, {.durable = true}).drain();
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::seconds(15));
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
  const std::size_t tried = world.faults.calls("save");
  world.look(repair, std::chrono::seconds(60));
  EXPECT_LE(world.faults.calls("save") - tried, 20U) << "more and more seldom";
  world.store.busy_coupons.clear();
  world.look(repair, std::chrono::seconds(60));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(world.saved_sequences("a" + std::to_string(i)), one_to(2));
}

// Another member reads its partition, or this one is not through.
TEST(Repair, WhatIsNotReadToItsEndIsNotLost) {
  Lost world;
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::minutes(10), EventConsumer::Reach::unknown);
  EXPECT_TRUE(world.saved_sequences("c").empty());
  EXPECT_EQ(world.lost(), 0U);
  world.look(repair, std::chrono::seconds(10));
  EXPECT_EQ(world.saved_sequences("c"), one_to(2));
  EXPECT_EQ(world.lost(), 4U);
}

TEST(Repair, WhatATransactionHoldsBackIsSavedAndNotLost) {
  Lost world;
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::seconds(10), EventConsumer::Reach::held_back);
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
  EXPECT_EQ(world.lost(), 0U);
}

TEST(Repair, ARejectedRowKeepsNoOtherFromBeingSaved) {
  Lost world;
  std::vector<std::string> users;
  for (int i = 0; i < 500; ++i) users.push_back("kim" + std::to_string(i));
  for (const int sick : {0, 7, 8, 250, 499}) world.store.rejected_users.insert(users[std::size_t(sick)]);
  ASSERT_TRUE(world.memory_gate.claim_now({"big", world.create("big", 1'000).epoch, 0, users}));
  world.issue("big", 2);
  const Watermark published{"big", 502, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::seconds(20));
  const auto saved = world.saved_sequences("big");
  EXPECT_EQ(saved.size(), 497U);
  EXPECT_EQ(saved.back(), 502);
  EXPECT_EQ(world.metrics.counter("seonchak_consumer_rejected_by_repair_total", "").value(), 5U);
  EXPECT_EQ(world.progress("big").persisted, 502);
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
}

// A topic that is deleted in a crowd takes thousands along, each in an entry of its own.
TEST(Repair, ThousandsThatAreLostAreSavedTogether) {
  constexpr int lost = 5'000;
  Lost world;
  world.create("big", lost);
  for (int i = 0; i < lost; ++i) world.issue("big", 1);
  const Watermark published{"big", lost, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  Repair repair(world.store, world.gate, world.metrics);
  const std::size_t before = world.faults.calls("save");
  world.look(repair, std::chrono::seconds(15));
  EXPECT_EQ(world.saved_sequences("big").size(), static_cast<std::size_t>(lost));
  EXPECT_LE(world.faults.calls("save") - before, 150U);
}

// To find out which rows are at fault costs a save for each, but no look takes long for it.
TEST(Repair, ManyRejectedRowsTakeNoLongTurn) {
  Lost world;
  std::vector<std::string> users;
  for (int i = 0; i < 300; ++i) users.push_back("kim" + std::to_string(i));
  world.store.rejected_users.insert(users.begin(), users.end());
  ASSERT_TRUE(world.memory_gate.claim_now({"big", world.create("big", 1'000).epoch, 0, users}));
  world.issue("big", 1);
  const Watermark published{"big", 301, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  Repair repair(world.store, world.gate, world.metrics);
  world.look(repair, std::chrono::seconds(5));
  const std::size_t before = world.faults.calls("save");
  world.look(repair, std::chrono::seconds(10));
  EXPECT_LE(world.faults.calls("save") - before, 6 * RepairOptions().saves_max);
  world.look(repair, std::chrono::seconds(60));
  EXPECT_EQ(world.saved_sequences("big"), (std::vector<Sequence>{301}));
  EXPECT_EQ(world.metrics.counter("seonchak_consumer_rejected_by_repair_total", "").value(), 300U);
}

TEST(Repair, GoesOverNoHole) {
  World world;
  HandTime time;
  world.create("c", 10);
  for (int i = 0; i < 5; ++i) world.issue("c", 1);
  const Watermark published{"c", 5, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  world.memory_gate.forget_outbox_entry("c", 3);
  Repair repair(world.store, world.gate, world.metrics);
  for (; time.passed < std::chrono::seconds(30); time.passed += std::chrono::seconds(1)) {
    const auto watermarks = repair.step(*world.catalog.snapshot(), {"group", "topic"}, true);
    for (const auto& answer : world.memory_gate.raise_persisted(watermarks)) EXPECT_TRUE(answer);
  }
  EXPECT_EQ(world.saved_sequences("c"), one_to(2));
  EXPECT_EQ(world.memory_gate.state("c")->persisted, 2);
  EXPECT_EQ(world.memory_gate.progress(std::vector<std::string>{"c"}).front().error().code,
            Errc::gate_behind);
}

// As behind a record that waits for the dead-letter topic.
TEST(Repair, AGapThatStaysIsNotLookedAtWithEachBatch) {
  HandTime time;
  World world;
  world.create("c", 1'000);
  world.issue("c", 100);
  const Watermark published{"c", 100, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  Repair repair(world.store, world.gate, world.metrics);
  CatalogReader catalog(world.catalog);
  const Repair::Reader reader{"group", "topic", [](const std::string&) { return true; }};
  const std::size_t before = world.faults.calls("active");
  for (int i = 2; i <= 100; ++i) {
    repair.handled(event_of("c", Sequence(i)));
    (void)repair.step(catalog.current(), reader, false);
    time.passed += std::chrono::milliseconds(20);
  }
  EXPECT_LE(world.faults.calls("active") - before, 11U) << "in two seconds";
}

}  // namespace
}  // namespace seonchak
