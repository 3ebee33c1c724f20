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
  std::size_t look(Repair& repair, std::chrono::milliseconds duration) {
    std::size_t asked = 0;
    gate.on_progress = [&](std::size_t count) { asked += count; };
    for (const auto until = time.passed + duration; time.passed < until; time.passed += step) {
      const auto watermarks = repair.step(*catalog.snapshot(), {"group", "topic"}, true);
      for (const auto& answer : memory_gate.raise_persisted(watermarks)) EXPECT_TRUE(answer);
    }
    gate.on_progress = nullptr;
    return asked;
  }

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

}  // namespace
}  // namespace seonchak
