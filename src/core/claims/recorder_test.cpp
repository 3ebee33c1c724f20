#include "core/claims/recorder.hpp"

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

struct Recorded : World {
  /// As a recovery does it.
  void fence(const std::string& id) {
    const Coupon row = sqlite->coupon(id).value();
    EXPECT_EQ(
        sqlite->fence_coupons(std::vector<CouponFence>{{id, row.epoch, row.gate, row.epoch + 1, row.gate}})
            ->changed.size(),
        1U);
    (void)catalog.refresh();
  }
  void settle(const std::string& id) {
    EXPECT_TRUE(sqlite->update_coupon(id, [](Coupon& row) -> Result<void> {
      row.settled = row.epoch;
      return {};
    }));
    (void)catalog.refresh();
  }
  void told(const std::string& id, Epoch epoch, int first, int count) {
    for (int i = first; i < first + count; ++i)
      unsaved_claims.issued(id, epoch, {{"u" + std::to_string(i), i, now()}});
  }

  UnsavedClaims unsaved_claims;
  Recorder recorder{store, catalog, unsaved_claims, "me", {.claims_per_statement = 10}};
};

TEST(Recorder, WritesInPiecesAndSaysSoFirst) {
  Recorded world;
  world.create("c", 100);
  world.told("c", 1, 1, 25);
  EXPECT_FALSE(world.recorder.step()) << "the coupon is open";
  EXPECT_EQ(world.faults.calls("begin_recording"), 0U);
  world.fence("c");
  EXPECT_TRUE(world.recorder.step());
  EXPECT_EQ(world.sqlite->recordings("c", 2).value(), (std::vector<Recording>{{"me", 1}}));
  EXPECT_EQ(world.sqlite->recorded_claim_count("c").value(), 10);
  while (world.recorder.step()) {
  }
  EXPECT_EQ(world.sqlite->recorded_claim_count("c").value(), 25);
  EXPECT_TRUE(world.sqlite->recordings("c", 2)->empty());
  const auto calls = world.faults.calls("record_unsaved");
  EXPECT_FALSE(world.recorder.step());
  EXPECT_EQ(world.faults.calls("record_unsaved"), calls) << "once";
  world.told("c", 1, 26, 1);
  while (world.recorder.step()) {
  }
  EXPECT_EQ(world.sqlite->recorded_claim_count("c").value(), 26) << "an answer that came late";
}

TEST(Recorder, RecordsWhileTheGateHangs) {
  Recorded world;
  world.create("c", 100);
  world.told("c", 1, 1, 3);
  world.fence("c");
  for (const char* call : {"identity", "progress", "state", "states", "holders_of"})
    world.faults.fail(call, Fault::before);
  while (world.recorder.step()) {
  }
  EXPECT_EQ(world.sqlite->recorded_claim_count("c").value(), 3);
}

TEST(Recorder, ForgetsWhatItRecordedOnceThatIsDecidedAndHandsOverTheRest) {
  Recorded world;
  world.create("c", 100);
  world.told("c", 1, 1, 3);
  world.fence("c");
  while (world.recorder.step()) {
  }
  world.told("c", 1, 4, 2);  // the recovery does not wait for these
  world.settle("c");
  world.told("c", 2, 6, 1);
  while (world.recorder.step()) {
  }
  EXPECT_EQ(world.unsaved_claims.size(), 1U) << "what was issued since";
  const auto late = world.sqlite->late_claims("c", {}, 10).value();
  ASSERT_EQ(late.size(), 2U);
  EXPECT_EQ(late[0].holder.user_id, "u4");
  EXPECT_EQ(late[0].epoch, 1);
}

TEST(Recorder, TriesAgainAfterAnOutage) {
  Recorded world;
  world.create("c", 100);
  world.told("c", 1, 1, 25);
  world.fence("c");
  for (const char* call : {"begin_recording", "record_unsaved", "end_recording"}) {
    world.faults.fail(call, Fault::after, 2);
  }
  for (int i = 0; i < 20; ++i) (void)world.recorder.step();
  EXPECT_EQ(world.sqlite->recorded_claim_count("c").value(), 25);
  EXPECT_TRUE(world.sqlite->recordings("c", 2)->empty());
}

}  // namespace
}  // namespace seonchak
