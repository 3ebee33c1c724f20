#include <random>

#include <gtest/gtest.h>

#include "core/testing/recovery.hpp"
#include "core/testing/ticker.hpp"

namespace seonchak {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds grace{1'500};

/// As in production, in time that goes on when told.
struct Timed : Recovering {
  Timed() : Recovering(grace) {
    options.look_period = milliseconds(250);
    options.retry = milliseconds(250);
    options.retry_max = seconds(4);
    options.lease.look_period = milliseconds(500);
    options.lease.beat_period = milliseconds(500);
    options.late.period = seconds(1);
    options.job.recorder_period = milliseconds(50);
  }

  /// Steps them in turn, with a catalog that is up to date, until `done`; how long that took.
  template <class Done>
  milliseconds run(const std::vector<RecoveryLife*>& lives, milliseconds most, Done done) {
    const milliseconds began = time.passed;
    while (!done() && time.passed - began < most) {
      (void)catalog.refresh();
      for (RecoveryLife* life : lives) life->step();
      time.passed += milliseconds(10);
    }
    return time.passed - began;
  }
  /// "a0", "a1", ...
  void create_many(int count) {
    for (int i = 0; i < count; ++i) create("a" + std::to_string(i), 5);
  }
  bool all_open(int count) {
    bool all = true;
    for (int i = 0; i < count; ++i) all = all && open("a" + std::to_string(i));
    return all;
  }
  bool open(const std::string& id) {
    const auto row = sqlite->coupon(id).value();
    const auto state = memory_gate.state(id);
    return row.is_open() && state && state->epoch == row.epoch;
  }

  HandTime time;
};

TEST(RecoveryJobs, ACoordinatorThatHangsIsRelievedAndWritesNothingMore) {
  // Wherever it hangs.
  for (int steps = 1; steps < 30; ++steps) {
    Timed world;
    world.options.pieces_max = 1;
    world.create("c", 5);
    world.sell("c", 1, 4);
    world.memory_gate.restart_empty();
    EXPECT_EQ(world.outcome("c", "u1").substr(0, 8), "u1 gate_");
    const auto hangs = world.make_recovery(world.unsaved_claims);
    UnsavedClaims knows_nothing;
    const auto other = world.make_recovery(knows_nothing);
    for (int i = 0; i < steps; ++i) {
      (void)world.catalog.refresh();
      hangs->step();
      world.time.passed += milliseconds(100);
    }
    const bool was_done = world.open("c") && world.sqlite->coupon("c")->epoch > 1;
    const auto took = world.run({other.get()}, seconds(30), [&] {
      while (hangs->recorder.step()) {  // a thread of its own, which does not hang
      }
      return world.open("c") && world.sqlite->coupon("c")->epoch > 1;
    });
    EXPECT_LT(took, seconds(8 + 2 + 2)) << steps;
    const Coupon row = world.sqlite->coupon("c").value();
    const auto state = world.memory_gate.state("c").value();
    // Whatever it does now, without looking at its lease first.
    for (int i = 0; i < 50 && !was_done; ++i) hangs->step();
    EXPECT_EQ(world.sqlite->coupon("c")->epoch, row.epoch) << steps;
    EXPECT_EQ(world.sqlite->coupon("c")->settled, row.epoch) << steps;
    EXPECT_EQ(world.memory_gate.state("c")->epoch, state.epoch) << steps;
    (void)world.catalog.refresh();
    for (int i = 1; i < 4; ++i) {
      const std::string user = "u" + std::to_string(i);
      EXPECT_EQ(world.outcome("c", user), user + " already_issued " + std::to_string(i)) << steps;
    }
  }
}

// Each believes that it leads: they have leases of their own. What one writes late is compared.
TEST(RecoveryJobs, TwoAtOnceInAnyOrderLoseNobodyAndGiveNothingTwice) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    Recovering world;
    world.options.pieces_max = 1;
    world.create("c", 6);
    world.sell("c", 1, 4);
    if (seed % 2 == 0) RelayLife(world, world.log).drain();
    world.memory_gate.restart_empty();
    EXPECT_EQ(world.outcome("c", "u1").substr(0, 8), "u1 gate_");
    UnsavedClaims knows_nothing;
    world.options.lease.name = "one";
    const auto one = world.make_recovery(world.unsaved_claims);
    world.options.lease.name = "two";
    const auto two = world.make_recovery(knows_nothing);
    int next_user = 10;
    for (int i = 0; i < 300; ++i) {
      if (random() % 3 == 0) (void)world.catalog.refresh();
      (random() % 2 == 0 ? one : two)->step();
      if (random() % 40 == 0) (void)world.outcome("c", "u" + std::to_string(next_user++));
      if (random() % 150 == 0) world.memory_gate.restart_empty();
    }
    // Without a lease they could go on shutting what the other recovers.
    RecoveryLife& last = random() % 2 == 0 ? *one : *two;
    EXPECT_TRUE(world.recover(last)) << "seed " << seed;
    for (int i = 1; i < 4; ++i) {
      const std::string user = "u" + std::to_string(i);
      EXPECT_EQ(world.outcome("c", user), user + " already_issued " + std::to_string(i)) << "seed " << seed;
    }
    world.save_all();
    EXPECT_TRUE(world.recover(last)) << "seed " << seed;
    world.save_all();
    const auto rows = world.sqlite->holders("c", 0, 100).value();
    EXPECT_LE(rows.size(), 6U) << "seed " << seed;
    const auto state = world.memory_gate.state("c");
    ASSERT_TRUE(state) << "seed " << seed;
    EXPECT_EQ(static_cast<std::int64_t>(rows.size()), state->issued) << "seed " << seed;
  }
}

TEST(RecoveryJobs, ACouponThatCannotBeUsedDelaysNoOther) {
  Timed world;
  world.create("a", 5);
  world.create("b", 5);
  world.sell("b", 1, 4);
  for (const char* id : {"a", "b"}) {
    world.memory_gate.forget(id);
    EXPECT_EQ(world.outcome(id, "u1"), "u1 gate_missing");
  }
  world.gate.unusable_outboxes.insert("a");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  const auto took =
      world.run({recovery.get()}, seconds(10), [&] { return world.open("b") && world.open_epoch("b") == 2; });
  EXPECT_LT(took, grace + seconds(1));
  EXPECT_FALSE(world.open("a"));
  EXPECT_EQ(world.health.dependencies().at("gate_state").up, false);
  world.gate.unusable_outboxes.clear();
  world.run({recovery.get()}, seconds(10), [&] { return world.open("a"); });
  EXPECT_TRUE(world.open("a")) << "once it can be used again";
}

TEST(RecoveryJobs, TheGraceOfOneIsNotAnothers) {
  Timed world;
  world.create("a", 5);
  world.create("b", 5);
  const auto recovery = world.make_recovery(world.unsaved_claims);
  const auto lose = [&](const std::string& id) {
    world.memory_gate.forget(id);
    (void)world.outcome(id, "u");
  };
  lose("a");
  world.run({recovery.get()}, seconds(1), [] { return false; });
  lose("b");
  const auto first = world.run({recovery.get()}, seconds(5), [&] { return world.open("a"); });
  EXPECT_LT(first, seconds(1)) << "a second of its grace had passed";
  EXPECT_FALSE(world.open("b"));
  const auto second = world.run({recovery.get()}, seconds(5), [&] { return world.open("b"); });
  EXPECT_LT(first + second, grace + milliseconds(500));
}

TEST(RecoveryJobs, TheCouponThatIsAskedForIsBackFirst) {
  constexpr int closed = 3'000;
  Timed world;
  world.create("live", 5);
  world.sell("live", 1, 3);
  const std::string gate = world.memory_gate.identity("live")->name();
  for (int i = 0; i < closed; ++i) {
    Coupon coupon;
    coupon.id = "old" + std::to_string(i);
    coupon.name = coupon.id;
    coupon.stock = 1;
    coupon.closed = true;
    coupon.epoch = coupon.settled = 1;
    coupon.gate = gate;
    const auto created = world.sqlite->create_coupon(coupon);
    ASSERT_TRUE(created);
    ASSERT_TRUE(world.memory_gate.restore(committed(*created), {}));
  }
  const auto recovery = world.make_recovery(world.unsaved_claims);
  world.run({recovery.get()}, seconds(1), [] { return false; });
  EXPECT_EQ(world.faults.calls("take_lease"), 0U) << "nothing to do";
  world.memory_gate.restart_empty();
  (void)world.outcome("live", "u1");
  const auto took = world.run({recovery.get()}, seconds(10),
                              [&] { return world.open("live") && world.open_epoch("live") == 2; });
  EXPECT_LT(took, seconds(3));
  EXPECT_EQ(world.outcome("live", "u2"), "u2 already_issued 2");
}

TEST(RecoveryJobs, WithoutNeedTheStoreIsNotWrittenToAndTheGateHardlyAsked) {
  Timed world;
  for (int i = 0; i < 40; ++i) world.create("c" + std::to_string(i), 5);
  const auto recovery = world.make_recovery(world.unsaved_claims);
  (void)world.catalog.refresh();
  recovery->step();
  const auto identities = world.faults.calls("identity");
  const auto progress = world.faults.calls("progress");
  const auto states = world.faults.calls("states");
  world.run({recovery.get()}, seconds(5), [] { return false; });
  EXPECT_LE(world.faults.calls("identity") - identities, 21U);
  EXPECT_LE(world.faults.calls("progress") - progress, 21U) << "one for all that are looked at in a step";
  EXPECT_LE(world.faults.calls("states") - states, 21U);
  for (const char* call : {"take_lease", "beat_lease", "read_lease", "fence_coupons", "record_unsaved"})
    EXPECT_EQ(world.faults.calls(call), 0U) << call;
}

TEST(RecoveryJobs, ARowThatIsHeldKeepsNoOtherCouponWaitingAndIsAskedForMoreAndMoreSeldom) {
  Timed world;
  world.options.jobs_max = 2;
  world.create_many(5);
  world.create("free", 5);
  world.sell("free", 1, 3);
  for (int i = 0; i < 5; ++i) world.store.busy_coupons.insert("a" + std::to_string(i));
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  const auto took = world.run({recovery.get()}, seconds(10), [&] { return world.open("free"); });
  EXPECT_LT(took, seconds(3));
  world.run({recovery.get()}, seconds(10), [] { return false; });
  EXPECT_LT(world.faults.calls("fence_coupons"), 200U) << "often at first, as a saver holds it for moments";
  const auto settled = world.faults.calls("fence_coupons");
  world.run({recovery.get()}, seconds(10), [] { return false; });
  EXPECT_LE(world.faults.calls("fence_coupons") - settled, 15U);
  world.store.busy_coupons.clear();
  world.run({recovery.get()}, seconds(10), [&] { return world.all_open(5); });
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(world.open("a" + std::to_string(i)));
}

TEST(RecoveryJobs, ARowWhoseChangeHangsKeepsNoOtherCouponFromItsRecovery) {
  Timed world;
  world.create_many(40);
  world.create("hangs", 5);
  world.store.hanging_coupons.insert("hangs");
  world.store.on_fence = [&] { world.time.passed += milliseconds(700); };
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_LT(world.run({recovery.get()}, seconds(60), [&] { return world.all_open(40); }), seconds(20));
  EXPECT_TRUE(world.all_open(40));
  world.store.hanging_coupons.clear();
  world.run({recovery.get()}, seconds(60), [&] { return world.open("hangs"); });
  EXPECT_TRUE(world.open("hangs"));
}

TEST(RecoveryJobs, WhatTheDatabaseRejectsIsLeftOutAndTheOthersAreBack) {
  for (const std::set<std::string>& rejected :
       {std::set<std::string>{"u5"}, std::set<std::string>{"u4", "u5"}, std::set<std::string>{"u4"}}) {
    Timed world;
    world.create("c", 100);
    world.sell("c", 1, 4);
    world.save_all();
    world.unsaved_claims.persisted("c", 1, 3);
    world.store.rejected_users = rejected;
    world.sell("c", 4, 6);
    world.memory_gate.restart_empty();
    EXPECT_EQ(world.outcome("c", "u1").substr(0, 8), "u1 gate_");
    const auto recovery = world.make_recovery(world.unsaved_claims);
    world.run({recovery.get()}, seconds(10), [&] { return world.open("c"); });
    ASSERT_TRUE(world.open("c"));
    EXPECT_EQ(world.metrics.counter("seonchak_lost_holders_total", "").value(), rejected.size());
    EXPECT_EQ(world.outcome("c", "new"), "new issued 6");
  }
}

TEST(RecoveryJobs, AnnouncedRecordingsAreWaitedForButNotForEver) {
  Timed world;
  world.create("c", 5);
  UnsavedClaims slow;
  slow.issued("c", 1, {{"v", 1, now()}});
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  world.run({recovery.get()}, seconds(1), [&] { return world.sqlite->coupon("c")->epoch == 2; });
  ASSERT_TRUE(world.sqlite->begin_recording("c", 2, "slow").value());
  ASSERT_TRUE(world.sqlite->begin_recording("c", 2, "dead").value());
  world.run({recovery.get()}, seconds(3), [&] { return world.open("c"); });
  EXPECT_FALSE(world.open("c"));
  const std::vector<KnownClaim> claims = slow.claims("c", 0, UnsavedClaims::every_epoch, 10).claims;
  ASSERT_TRUE(world.sqlite->record_unsaved("c", 2, "slow", claims).value());
  ASSERT_TRUE(world.sqlite->end_recording("c", 2, "slow"));
  const auto took = world.run({recovery.get()}, seconds(20), [&] { return world.open("c"); });
  EXPECT_TRUE(world.open("c"));
  EXPECT_LT(took, seconds(6)) << "the dead one";
  EXPECT_EQ(world.outcome("c", "v"), "v already_issued 1");
}

// A full disk: rows that are there can be changed, and none added.
TEST(RecoveryJobs, WaitsWhileTheStoreTakesNobodysAnnouncement) {
  Timed world;
  world.create("c", 5);
  UnsavedClaims silenced;
  silenced.issued("c", 1, {{"v", 1, now()}});
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  world.faults.fail("begin_recording", Fault::before, 6);
  world.run({recovery.get()}, seconds(6), [&] { return world.open("c"); });
  world.run({recovery.get()}, seconds(60), [&] { return world.faults.calls("begin_recording") > 6; });
  ASSERT_FALSE(world.open("c")) << "the others have a moment for theirs";
  ASSERT_TRUE(world.sqlite->begin_recording("c", 2, "silenced").value());
  const auto claims = silenced.claims("c", 0, UnsavedClaims::every_epoch, 10).claims;
  ASSERT_TRUE(world.sqlite->record_unsaved("c", 2, "silenced", claims).value());
  ASSERT_TRUE(world.sqlite->end_recording("c", 2, "silenced"));
  world.run({recovery.get()}, seconds(20), [&] { return world.open("c"); });
  EXPECT_EQ(world.outcome("c", "v"), "v already_issued 1");
}

// Nobody can write down what he remembers while somebody holds the coupon's row.
TEST(RecoveryJobs, WhoWasKeptFromRecordingByAHeldRowIsWaitedForOnceMore) {
  Timed world;
  world.create("c", 1);
  UnsavedClaims silenced;
  silenced.issued("c", 1, {{"v", 1, now()}});
  world.memory_gate.restart_empty();
  const auto recovery = world.make_recovery(world.unsaved_claims);
  world.run({recovery.get()}, seconds(1), [&] { return world.sqlite->coupon("c")->epoch == 2; });
  ASSERT_TRUE(world.sqlite->begin_recording("c", 2, "silenced").value());
  world.store.busy_coupons.insert("c");
  const auto claims = silenced.claims("c", 0, UnsavedClaims::every_epoch, 10).claims;
  world.run({recovery.get()}, seconds(20), [&] { return false; });
  ASSERT_FALSE(world.store.record_unsaved("c", 2, "silenced", claims));
  world.store.busy_coupons.clear();
  world.run({recovery.get()}, milliseconds(4'500), [&] { return world.open("c"); });
  ASSERT_FALSE(world.open("c")) << "the recovery was the first to get the row";
  ASSERT_TRUE(world.store.record_unsaved("c", 2, "silenced", claims).value());
  ASSERT_TRUE(world.sqlite->end_recording("c", 2, "silenced"));
  world.run({recovery.get()}, seconds(20), [&] { return world.open("c"); });
  EXPECT_EQ(world.outcome("c", "x"), "x sold_out");
  EXPECT_EQ(world.outcome("c", "v"), "v already_issued 1");
}

TEST(RecoveryJobs, WhoAnnouncedARecordingAndDiedIsNotWaitedForAgainAndAgain) {
  Timed world;
  world.create("c", 5);
  world.memory_gate.restart_empty();
  EXPECT_EQ(world.outcome("c", "u"), "u gate_missing");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  world.run({recovery.get()}, seconds(1), [&] { return world.sqlite->coupon("c")->epoch == 2; });
  ASSERT_TRUE(world.sqlite->begin_recording("c", 2, "dead").value());
  world.store.busy_coupons.insert("c");
  world.run({recovery.get()}, seconds(20), [&] { return false; });
  world.store.busy_coupons.clear();
  const auto took = world.run({recovery.get()}, seconds(60), [&] { return world.open("c"); });
  EXPECT_LT(took, seconds(4 + 5 + 1)) << "its turn, and the dead one's silence";
}

// The store is what it was before a recovery: the gate has a later epoch, and has trimmed what was saved
// since.
TEST(Recovery, KeepsAllThatTheGateHasWhenTheStoreFellBack) {
  Recovering world;
  Epoch clock = 1'000;
  world.options.job.epoch_min = [&] { return clock; };
  world.create("c", 20);
  world.sell("c", 1, 4);
  const Coupon before = world.sqlite->coupon("c").value();
  world.memory_gate.restart_empty();
  EXPECT_EQ(world.outcome("c", "u1"), "u1 gate_missing");
  const auto recovery = world.make_recovery(world.unsaved_claims);
  EXPECT_TRUE(world.recover(*recovery));
  EXPECT_EQ(world.sqlite->coupon("c")->epoch, clock);
  world.sell("c", 4, 10);
  const Watermark saved{"c", 9, clock};
  ASSERT_TRUE(world.memory_gate.raise_published({&saved, 1}).front());
  ASSERT_TRUE(world.memory_gate.raise_persisted({&saved, 1}).front());
  ASSERT_TRUE(world.sqlite->update_coupon("c", [&](Coupon& row) -> Result<void> {
    row.epoch = row.settled = before.epoch;
    row.gate = world.memory_gate.identity("c")->name();
    row.stock = 5;
    return {};
  }));
  UnsavedClaims nothing;
  const auto later = world.make_recovery(nothing);
  clock = 2'000;
  EXPECT_TRUE(world.recover(*later));
  const Coupon row = world.sqlite->coupon("c").value();
  EXPECT_EQ(row.epoch, 2'000) << "none in which anything was issued";
  EXPECT_EQ(row.stock, 9) << "what is issued, and no more";
  for (int i = 1; i < 10; ++i) {
    const std::string user = "u" + std::to_string(i);
    EXPECT_EQ(world.outcome("c", user), user + " already_issued " + std::to_string(i));
  }
  EXPECT_EQ(world.outcome("c", "x"), "x sold_out");
  world.save_all();
  EXPECT_EQ(world.saved_sequences("c"), one_to(9));
}

}  // namespace
}  // namespace seonchak
