#include "core/chain/repair.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

IssuedEvent event_of(const std::string& coupon_id, std::int64_t sequence) {
  return {coupon_id, "user", sequence, now(), 1};
}

TEST(Reconciler, AsksForTheUnknownCouponsOfABatchTogether) {
  World world;
  std::vector<CouponEpoch> batch;
  for (const char* id : {"c", "d", "e"}) {
    world.create(id, 10);
    world.issue(id, 3);
    const Mark saved{id, 2, 1};
    ASSERT_TRUE(world.memory_gate.mark_persisted({&saved, 1}).front());
    batch.push_back({id, 1});
  }
  Reconciler reconciler(world.store, world.gate, world.metrics);
  for (int round = 0; round < 2; ++round) {
    const std::size_t before = world.faults.calls("progress");
    reconciler.expect(batch);
    for (const auto& [id, epoch] : batch) EXPECT_EQ(reconciler.handled(event_of(id, 3)), (Mark{id, 3, 1}));
    EXPECT_EQ(world.faults.calls("progress"), before + 1);
    EXPECT_FALSE(reconciler.found_gap());
    reconciler.expect(batch);
    EXPECT_EQ(world.faults.calls("progress"), before + 1) << "they are known now";
    reconciler.forget();
  }
}

TEST(Reconciler, WithoutTheGatesAnswerNothingIsKnownToBeSaved) {
  World world;
  world.create("c", 10);
  world.issue("c", 3);
  Reconciler reconciler(world.store, world.gate, world.metrics);
  world.faults.fail("progress", Fault::before);
  const CouponEpoch coupon{"c", 1};
  reconciler.expect({&coupon, 1});
  EXPECT_EQ(reconciler.handled(event_of("c", 3)), std::nullopt);
  EXPECT_TRUE(reconciler.found_gap());
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
  std::size_t look(Reconciler& reconciler, std::chrono::milliseconds duration) {
    std::size_t asked = 0;
    gate.on_progress = [&](std::size_t count) { asked += count; };
    for (const auto until = time.passed + duration; time.passed < until; time.passed += step) {
      const auto marks = reconciler.step(*catalog.snapshot(), {"group", "topic"}, true);
      for (const auto& answer : memory_gate.mark_persisted(marks)) EXPECT_TRUE(answer);
    }
    gate.on_progress = nullptr;
    return asked;
  }

  static constexpr std::chrono::milliseconds step{100};
  HandTime time;
};

TEST(Reconciler, LooksAtHintedCouponsAndAtNoOthers) {
  Lost world;
  Reconciler reconciler(world.store, world.gate, world.metrics);
  const std::size_t asked = world.look(reconciler, std::chrono::seconds(10));
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
  EXPECT_LE(asked, 20U) << "two coupons, every two seconds";
}

TEST(Reconciler, FindsACouponWhoseHintWasLost) {
  Lost world;
  for (const auto& [id, hint] : world.memory_gate.active(1'000).value())
    ASSERT_TRUE(world.memory_gate.settle_active(id, hint));
  Reconciler reconciler(world.store, world.gate, world.metrics);
  world.look(reconciler, std::chrono::seconds(10));
  for (const char* id : {"c", "d"}) EXPECT_EQ(world.saved_sequences(id), one_to(2)) << id;
}

TEST(Reconciler, ForgetsCouponsAtRest) {
  Lost world;
  Reconciler reconciler(world.store, world.gate, world.metrics);
  world.look(reconciler, ReconcilerOptions().forget_after + std::chrono::seconds(20));
  for (const auto& [id, hint] : world.memory_gate.active(1'000).value())
    ASSERT_TRUE(world.memory_gate.settle_active(id, hint));
  EXPECT_EQ(world.look(reconciler, std::chrono::seconds(20)), 0U);
}

TEST(Reconciler, ACouponThatCannotBeUsedStopsNoOther) {
  Lost world;
  world.gate.unusable_outboxes.insert("c");
  Reconciler reconciler(world.store, world.gate, world.metrics);
  world.look(reconciler, std::chrono::seconds(10));
  EXPECT_EQ(world.saved_sequences("d"), one_to(2));
}

}  // namespace
}  // namespace seonchak
