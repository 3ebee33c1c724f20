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
