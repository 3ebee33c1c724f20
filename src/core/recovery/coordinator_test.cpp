#include "core/recovery/coordinator.hpp"

#include <gtest/gtest.h>

#include "core/testing/recovery.hpp"

namespace seonchak {
namespace {

// The first call's answer was lost on its way, or another process had it and died.
TEST(Recovery, BringsBackWhoWasOnlyToldAgain) {
  Recovering world;
  world.create("c", 2);
  world.claim("c", "u");
  EXPECT_EQ(world.outcome("c", "u"), "u already_issued 1");
  EXPECT_EQ(world.outcome("c", "u"), "u already_issued 1");
  EXPECT_EQ(world.unsaved_claims.size(), 1U);
  world.memory_gate.restart_empty();
  EXPECT_EQ(world.outcome("c", "u"), "u gate_missing");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "u"), "u already_issued 1");
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(1));
}

TEST(Recovery, LeavesASoundGateAlone) {
  Recovering world;
  world.create("c", 10);
  world.sell("c", 1, 4);
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.memory_gate.state("c")->epoch, 1);
  EXPECT_EQ(world.sqlite->coupon("c")->epoch, 1);
}

TEST(Recovery, BringsBackWhatTheStoreHas) {
  Recovering world;
  world.create("c", 4);
  world.sell("c", 1, 4);
  world.save_all();
  world.memory_gate.restart_empty();
  EXPECT_EQ(world.outcome("c", "u1"), "u1 gate_missing");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "u1"), "u1 already_issued 1");
  EXPECT_EQ(world.outcome("c", "x"), "x issued 4");
  EXPECT_EQ(world.outcome("c", "y"), "y sold_out");
  EXPECT_EQ(world.sqlite->coupon("c")->epoch, 2);
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(4));
}

TEST(Recovery, BringsBackWhatOnlyThisProcessWasTold) {
  Recovering world;
  world.create("c", 10);
  world.sell("c", 1, 6);
  world.memory_gate.forget("c");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  for (int i = 1; i < 6; ++i) {
    const std::string user = "u" + std::to_string(i);
    EXPECT_EQ(world.outcome("c", user), user + " already_issued " + std::to_string(i));
  }
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
  recovery->step();
  EXPECT_EQ(world.unsaved_claims.size(), 0U) << "the store has them";
}

TEST(Recovery, HowMuchTheConsumersHaveNotSavedHasNoLimit) {
  Recovering world;
  world.options.tail.records_max = 2;
  world.create("c", 10);
  world.sell("c", 1, 6);
  RelayLife(world, world.log).drain();
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "u5"), "u5 already_issued 5");
}

// The outbox has what is not saved, and the state still says how many hold it.
TEST(Recovery, BringsBackHoldersThatAloneAreLost) {
  Recovering world;
  world.create("c", 6);
  world.sell("c", 1, 4);
  world.save_all();
  world.sell("c", 4, 6);
  world.memory_gate.forget_holders("c");
  EXPECT_EQ(world.outcome("c", "x"), "x gate_behind");
  EXPECT_EQ(world.outcome("c", "u1"), "u1 gate_behind");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  for (int i = 1; i < 6; ++i) {
    const std::string user = "u" + std::to_string(i);
    EXPECT_EQ(world.outcome("c", user), user + " already_issued " + std::to_string(i));
  }
  EXPECT_EQ(world.outcome("c", "x"), "x issued 6");
  EXPECT_EQ(world.outcome("c", "y"), "y sold_out");
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(6));
}

TEST(Recovery, BringsBackAnOutboxThatAloneIsLostThoughNobodyAsks) {
  Recovering world;
  world.create("c", 6);
  world.sell("c", 1, 6);
  UnsavedClaims knows_nothing;
  const auto recovery = world.make_recovery(knows_nothing);
  world.memory_gate.forget_outbox("c");
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.sqlite->coupon("c")->epoch, 2);
  EXPECT_EQ(world.outcome("c", "x"), "x issued 6");
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(6));
}

// The first entry that waits, one between, and the last: each is somebody's who was told.
TEST(Recovery, BringsBackWhoseEntryAloneIsGone) {
  for (int gone = 1; gone < 6; ++gone) {
    Recovering world;
    world.create("c", 6);
    world.sell("c", 1, 6);
    world.memory_gate.forget_outbox_entry("c", gone);
    UnsavedClaims knows_nothing;
    const auto recovery = world.make_recovery(knows_nothing);
    for (int round = 0; round < 3; ++round) {
      world.save_all();
      EXPECT_TRUE(world.recover(*recovery));
    }
    world.save_all();
    EXPECT_EQ(world.sqlite->coupon("c")->epoch, 2) << gone;
    EXPECT_EQ(world.saved_sequences("c"), one_to(5)) << gone;
    EXPECT_EQ(world.outcome("c", "x"), "x issued 6");
    EXPECT_EQ(world.outcome("c", "u3"), "u3 already_issued 3");
  }
}

// It is shut for another reason.
TEST(Recovery, DoesNotTakeAnOutboxWithAHoleForAllThatWaits) {
  Recovering world;
  world.create("c", 6);
  world.sell("c", 1, 6);
  world.memory_gate.forget_outbox_entry("c", 3);
  world.memory_gate.forget_outbox_entry("c", 5);
  world.memory_gate.rename("another", true);
  UnsavedClaims knows_nothing;
  const auto recovery = world.make_recovery(knows_nothing);
  EXPECT_TRUE(world.recover(*recovery));
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(5));
}

// What lies behind it would be lost with the outbox that is written anew.
TEST(Recovery, AnEntryThatCannotBeReadKeepsItsCouponShut) {
  Recovering world;
  world.create("c", 10);
  world.sell("c", 1, 4);
  world.gate.malformed_entries["c"] = 2;
  UnsavedClaims knows_nothing;
  const auto life = world.make_recovery(knows_nothing);
  world.memory_gate.rename("another", true);
  EXPECT_FALSE(world.recover(*life));
  EXPECT_FALSE(world.sqlite->coupon("c")->is_open());

  world.gate.malformed_entries.clear();
  EXPECT_TRUE(world.recover(*life));
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(3));
}

TEST(Recovery, BringsBackWhatIsOnlyInTheLog) {
  Recovering world;
  world.create("c", 10);
  world.sell("c", 1, 6);
  RelayLife(world, world.log).drain();
  world.memory_gate.restart_empty();
  UnsavedClaims knows_nothing;
  const auto recovery = world.make_recovery(knows_nothing);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "u5"), "u5 already_issued 5");
  EXPECT_EQ(world.outcome("c", "x"), "x issued 6");
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(6));
}

// Nobody issues again, and yet everybody is known to be saved: the one told 2 lies above the one told 1.
TEST(Recovery, KnowsItsRowsAreSavedThoughTheyLieAboveTheOutbox) {
  Recovering world;
  world.create("c", 2);
  world.sell("c", 1, 3);
  ASSERT_TRUE(world.sqlite->save({"other", "log", {{"c", "u2", 2, now(), 1}}, {}, {}}));
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.memory_gate.state("c")->sequence, 2);
  world.save_all();
  EXPECT_EQ(world.progress("c").persisted, 2);
  EXPECT_EQ(world.progress("c").published, 2);
}

TEST(Recovery, TheLogHearsOfWhatARecoverySavedThoughTheGateIsLostAgain) {
  Recovering world;
  world.create("c", 10);
  world.sell("c", 1, 4);
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.saved_sequences("c"), one_to(3)) << "before any event was published";
  world.memory_gate.restart_empty();
  UnsavedClaims knows_nothing;
  const auto another = world.make_recovery(knows_nothing);
  EXPECT_TRUE(world.recover(*another));
  EXPECT_EQ(world.sqlite->recorded_claims("c")->size(), 3U);
  RelayLife(world, world.log).drain();
  EXPECT_EQ(logged_sequences(world.log, "c"), one_to(3));
  world.save_all();
  another->step();
  EXPECT_TRUE(world.sqlite->recorded_claims("c")->empty()) << "it is persisted, so the log has it";
}

TEST(Recovery, AnotherProcessRecordsMeanwhile) {
  Recovering world(std::chrono::milliseconds(50));
  world.create("c", 10);
  UnsavedClaims other;
  other.issued("c", 1, {{"v", 1, now()}, {"w", 2, now()}});
  world.memory_gate.restart_empty();
  const auto first = world.make_recovery(world.unsaved_claims);
  const auto second = world.make_recovery(other);
  first->step();
  ASSERT_TRUE(first->recovering());
  second->step();
  EXPECT_FALSE(second->recovering()) << "one at a time";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (first->recovering() && std::chrono::steady_clock::now() < deadline) first->step();
  EXPECT_EQ(world.outcome("c", "w"), "w already_issued 2");
  EXPECT_EQ(world.outcome("c", "x"), "x issued 3");
}

TEST(Recovery, AProcessThatMissedItClaimsForItsUsers) {
  Recovering world;
  world.create("c", 3);
  UnsavedClaims stopped;
  stopped.issued("c", 1, {{"v", 1, now()}, {"w", 2, now()}});
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "x"), "x issued 1");
  const auto late = world.make_recovery(stopped);
  EXPECT_FALSE(world.recover(*late)) << "what it claims for them is not saved yet";
  EXPECT_EQ(world.outcome("c", "v"), "v already_issued 2");
  EXPECT_EQ(world.outcome("c", "w"), "w already_issued 3");
  world.save_all();
  EXPECT_TRUE(world.recover(*late));
  EXPECT_EQ(world.saved_sequences("c"), one_to(3));
}

TEST(Recovery, AnEventOfTheLostGateIsNotSavedBesideItsSuccessor) {
  Recovering world;
  world.create("c", 1);
  world.sell("c", 1, 2);
  RelayLife(world, world.log).drain();
  world.memory_gate.restart_empty();
  // A log that could not be read in full: the event comes to light after the recovery.
  MemoryLog elsewhere;
  world.tail = elsewhere.tail();
  UnsavedClaims knows_nothing;
  const auto recovery = world.make_recovery(knows_nothing);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "x"), "x issued 1");
  world.save_all();
  const auto holders = world.sqlite->holders("c", 0, 10).value();
  ASSERT_EQ(holders.size(), 1U) << "never more than the stock";
  EXPECT_EQ(holders[0].user_id, "x");
  EXPECT_TRUE(world.has_late_claims());
  EXPECT_TRUE(world.recover(*recovery)) << "it is decided, and was too late";
  EXPECT_EQ(world.sqlite->holders("c", 0, 10)->size(), 1U);
  EXPECT_NE(world.metrics.text().find("seonchak_lost_holders_total 1"), std::string::npos);
}

TEST(Recovery, GoesOnAfterAnOutageOfTheStore) {
  Recovering world;
  world.create("c", 10);
  world.sell("c", 1, 4);
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  for (const char* call : {"coupon", "commit", "positions", "holders", "holders_among"}) {
    world.faults.fail(call, Fault::before, 1);
  }
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.outcome("c", "u3"), "u3 already_issued 3");
  EXPECT_EQ(world.outcome("c", "x"), "x issued 4");
}

}  // namespace
}  // namespace seonchak
