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
    const Watermark published{id, 3, 1};
    const Watermark persisted{id, 2, 1};
    ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
    ASSERT_TRUE(world.memory_gate.raise_persisted({&persisted, 1}).front());
  }
  world.watermarks.want("wanted");
  ProgressPoller poller(world.gate, world.watermarks);
  poller.step();
  EXPECT_EQ(world.watermarks.of("wanted").published, 3);
  EXPECT_EQ(world.watermarks.of("wanted").persisted, 2);
  EXPECT_EQ(world.watermarks.of("other").published, 0) << "nobody waits for it";
}

TEST(ProgressPoller, AsksNothingWhenNobodyWaitsAndOutlivesAFailure) {
  World world;
  world.create("c", 10);
  ProgressPoller poller(world.gate, world.watermarks);
  poller.step();
  EXPECT_EQ(world.faults.calls("progress"), 0U);
  world.watermarks.want("c");
  world.faults.fail("progress", Fault::before, 1);
  poller.step();
  EXPECT_EQ(world.watermarks.of("c").published, 0);
  world.issue("c", 1);
  const Watermark published{"c", 1, 1};
  ASSERT_TRUE(world.memory_gate.raise_published({&published, 1}).front());
  poller.step();
  EXPECT_EQ(world.watermarks.of("c").published, 1);
}

}  // namespace
}  // namespace seonchak
