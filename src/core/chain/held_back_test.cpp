#include "core/chain/held_back.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using std::chrono::seconds;

TEST(HeldBack, NamesTheOneThatHasWaitedLongest) {
  HandTime time;
  HeldBack held_back;
  EXPECT_FALSE(held_back.longest({}));
  const std::vector<LogPosition> one{{3, 7}};
  const std::vector<LogPosition> two{{1, 5}, {3, 7}};
  EXPECT_EQ(held_back.longest(one)->waited, seconds(0));
  time.passed += seconds(4);
  EXPECT_EQ(held_back.longest(two)->partition, 3);
  time.passed += seconds(4);
  EXPECT_EQ(held_back.longest(two)->waited, seconds(8));
  EXPECT_FALSE(held_back.longest({}));
  EXPECT_EQ(held_back.longest(two)->waited, seconds(0)) << "another time";
}

// As behind many short transactions.
TEST(HeldBack, APartitionThatIsReadOnDoesNotWait) {
  HandTime time;
  HeldBack held_back;
  for (std::int64_t offset = 0; offset < 30; ++offset) {
    const std::vector<LogPosition> now{{0, offset}};
    EXPECT_LE(held_back.longest(now)->waited, seconds(1));
    time.passed += seconds(1);
  }
}

TEST(HeldBack, IsToldToHealthWithItsReason) {
  HandTime time;
  World world;
  MemoryLog log;
  world.create("c", 10);
  ConsumerLife life(world, log, ConsumerOptions{});
  life.steps_for(seconds(1));
  life.log.held = {{0, 17}};
  life.steps_for(seconds(9));
  EXPECT_TRUE(world.health.dependencies().at("consumer").up);
  life.steps_for(seconds(3));
  EXPECT_FALSE(world.health.dependencies().at("consumer").up);
  life.log.held.clear();
  life.steps_for(seconds(3));
  EXPECT_TRUE(world.health.dependencies().at("consumer").up);
}

}  // namespace
}  // namespace seonchak
