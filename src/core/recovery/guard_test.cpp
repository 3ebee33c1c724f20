#include "core/recovery/guard.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using std::chrono::seconds;

struct Guarded : World {
  Guarded() {
    for (const char* id : {"a", "b", "c"}) create(id, 5);
    (void)catalog.refresh();
  }

  bool look() {
    const bool answered = guard.look();
    (void)catalog.refresh();
    return answered;
  }
  std::vector<std::string> suspects() {
    const auto any = [](const std::string&) { return true; };
    std::vector<std::string> ids = guard.suspects_in_demand(10, any);
    std::ranges::move(guard.other_suspects(10, any), std::back_inserter(ids));
    return ids;
  }

  HandTime time;
  UnsavedClaims unsaved_claims;
  Guard guard{store, gate, gate, catalog, unsaved_claims};
};

using Ids = std::vector<std::string>;

TEST(Guard, FindsWhatAnotherServerHas) {
  Guarded world;
  EXPECT_TRUE(world.look());
  EXPECT_TRUE(world.suspects().empty());
  world.memory_gate.restart_empty();
  EXPECT_TRUE(world.look());
  EXPECT_EQ(world.suspects().size(), 3U);
  EXPECT_EQ(world.guard.suspect_count(), 3U);
}

TEST(Guard, SaysNothingOfAGateThatDoesNotAnswer) {
  Guarded world;
  world.look();
  world.memory_gate.restart_empty();
  world.faults.fail("identity", Fault::before, 1);
  EXPECT_FALSE(world.look());
  EXPECT_TRUE(world.suspects().empty());
}

TEST(Guard, NamesThoseWithDemandFirstAndClosedOnesLast) {
  Guarded world;
  ASSERT_TRUE(world.coupon_admin.close("a"));
  world.unsaved_claims.issued("c", 1, {{"u", 1, now()}});
  (void)world.catalog.refresh();
  world.memory_gate.restart_empty();
  world.look();
  EXPECT_EQ(world.suspects(), (Ids{"c", "b", "a"}));
}

TEST(Guard, WeighsADoubtBeforeItCounts) {
  Guarded world;
  world.look();
  world.unsaved_claims.doubt("a", 1, 0);
  world.look();
  EXPECT_TRUE(world.suspects().empty()) << "the gate has what was seen";
  world.unsaved_claims.doubt("a", 1, 7);
  world.look();
  EXPECT_EQ(world.suspects(), Ids{"a"});
}

TEST(Guard, ALesserDoubtDoesNotDisplaceAnother) {
  Guarded world;
  world.look();
  world.unsaved_claims.doubt("a", 1, 7);
  world.look();
  world.unsaved_claims.doubt("a", 1, 0);
  world.look();
  EXPECT_EQ(world.suspects(), Ids{"a"});
}

TEST(Guard, NoticesInTimeWhatNobodyAsksFor) {
  Guarded world;
  world.look();
  world.memory_gate.forget("b");
  for (int i = 0; i < 3; ++i) world.look();
  EXPECT_EQ(world.suspects(), Ids{"b"});
}

// FLUSHALL: the server and its name are the same.
TEST(Guard, LooksFasterWhereSomethingIsLost) {
  Guarded world;
  std::vector<std::string> ids = {"a", "b", "c"};
  for (int i = 0; i < 400; ++i) world.create(ids.emplace_back("more" + std::to_string(i)), 5);
  (void)world.catalog.refresh();
  world.look();
  for (const std::string& id : ids) world.memory_gate.forget(id);
  int looks = 0;
  for (; world.guard.suspect_count() < ids.size() && looks < 100; ++looks) world.look();
  EXPECT_EQ(world.guard.suspect_count(), ids.size());
  EXPECT_LT(looks, 12) << "67 at the pace at which it looks when nothing is lost";
}

TEST(Guard, LooksAtItsOldPaceAgain) {
  Guarded world;
  std::vector<std::string> ids;
  for (int i = 0; i < 400; ++i) world.create(ids.emplace_back("more" + std::to_string(i)), 5);
  (void)world.catalog.refresh();
  world.look();
  world.memory_gate.forget("more7");
  const auto looked_at = [&] {
    world.look();
    return std::ranges::count_if(ids,
                                 [&](const std::string& id) { return world.guard.progress(id).has_value(); });
  };
  std::ptrdiff_t most = 0;
  for (int i = 0; i < 70; ++i) most = std::max(most, looked_at());
  EXPECT_GT(most, 6);
  EXPECT_EQ(looked_at(), 6);
}

TEST(Guard, NoticesHoldersThatAreGoneThoughNobodyAsks) {
  Guarded world;
  world.issue("b", 1);
  world.look();
  world.memory_gate.forget_holders("b");
  for (int i = 0; i < 3; ++i) world.look();
  EXPECT_EQ(world.suspects(), Ids{"b"});
}

TEST(Guard, ForgetsWhatTheStoreHas) {
  Guarded world;
  world.issue("a", 2);
  world.unsaved_claims.issued("a", 1, {{"user1", 1, now()}});
  world.unsaved_claims.issued("a", 1, {{"user2", 2, now()}});
  const Watermark watermark{"a", 1, 1};
  (void)world.memory_gate.raise_persisted({&watermark, 1});
  world.look();
  EXPECT_EQ(world.unsaved_claims.size(), 1U);
}

TEST(Guard, AServerThatOnlyChangesTheNameOfItsHistoryIsTheSame) {
  Guarded world;
  world.look();
  const Epoch epoch = world.sqlite->coupon("a")->epoch;
  world.memory_gate.rename("another", false);
  world.time.passed += seconds(1);
  EXPECT_TRUE(world.look());
  EXPECT_TRUE(world.look());
  EXPECT_TRUE(world.suspects().empty());
  const Coupon row = world.sqlite->coupon("a").value();
  EXPECT_EQ(row.epoch, epoch);
  EXPECT_EQ(row.gate, world.memory_gate.identity("a")->name());
}

TEST(Guard, ARowThatIsHeldKeepsItsOldNameUntilItIsFree) {
  Guarded world;
  world.look();
  const std::string before = world.sqlite->coupon("a")->gate;
  world.store.busy_coupons = {"a"};
  world.memory_gate.rename("another", false);
  for (int i = 0; i < 3; ++i) world.look();
  const std::string name = world.memory_gate.identity("a")->name();
  EXPECT_EQ(world.sqlite->coupon("a")->gate, before);
  for (const char* id : {"b", "c"}) EXPECT_EQ(world.sqlite->coupon(id)->gate, name);
  world.store.busy_coupons.clear();
  for (int i = 0; i < 3; ++i) world.look();
  EXPECT_EQ(world.sqlite->coupon("a")->gate, name);
  EXPECT_TRUE(world.suspects().empty());
}

TEST(Guard, AServerThatJoinedAnotherIsNot) {
  Guarded world;
  world.look();
  world.memory_gate.rename("another", true);
  world.look();
  EXPECT_EQ(world.suspects().size(), 3U);
}

// It was resynchronised and promoted, and has forgotten by now whose history it had joined
// (repl-backlog-ttl).
TEST(Guard, NorIsOneThatWasNotWatched) {
  Guarded world;
  world.look();
  world.memory_gate.rename("another", false);
  world.time.passed += seconds(6);
  world.look();
  EXPECT_EQ(world.suspects().size(), 3U);
}

}  // namespace
}  // namespace seonchak
