#include "core/progress/progress_poller.hpp"

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

TEST(ProgressPoller, BringsWhatOtherProcessesDidToThoseWhoWait) {
  World world;
  for (const char* id : {"wanted", "other"}) {
    world.create(id, 10);
    world.issue(id, 3);
    const Mark published{id, 3, 1};
    const Mark persisted{id, 2, 1};
    ASSERT_TRUE(world.memory_gate.mark_published({&published, 1}).front());
    ASSERT_TRUE(world.memory_gate.mark_persisted({&persisted, 1}).front());
  }
  world.board.want("wanted");
  ProgressPoller poller(world.gate, world.board);
  poller.step();
  EXPECT_EQ(world.board.of("wanted").published, 3);
  EXPECT_EQ(world.board.of("wanted").persisted, 2);
  EXPECT_EQ(world.board.of("other").published, 0) << "nobody waits for it";
}

TEST(ProgressPoller, AsksNothingWhenNobodyWaitsAndOutlivesAFailure) {
  World world;
  world.create("c", 10);
  ProgressPoller poller(world.gate, world.board);
  poller.step();
  EXPECT_EQ(world.faults.calls("progress"), 0U);
  world.board.want("c");
  world.faults.fail("progress", Fault::before, 1);
  poller.step();
  EXPECT_EQ(world.board.of("c").published, 0);
  world.issue("c", 1);
  const Mark published{"c", 1, 1};
  ASSERT_TRUE(world.memory_gate.mark_published({&published, 1}).front());
  poller.step();
  EXPECT_EQ(world.board.of("c").published, 1);
}

}  // namespace
}  // namespace seonchak
