#include "core/recovery/lease.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds silence{8};
constexpr seconds takeover_max{10};

/// A process with a way of its own to the store.
struct Member {
  Member(Store& shared, std::string holder)
      : store(shared, faults), lease(store, {.name = "work", .holder = std::move(holder)}) {}

  bool holds() { return lease.step().held; }

  FaultPlan faults;
  FaultyStore store;
  Lease lease;
};

struct Leases : testing::Test {
  void pass(milliseconds duration) { time.passed += duration; }

  /// Steps every 100 ms until the lease is held; how long that took, or a minute when it never was.
  milliseconds time_to_hold(Member& member) {
    const auto began = time.passed;
    while (!member.holds() && time.passed - began < seconds(60)) pass(milliseconds(100));
    return time.passed - began;
  }

  HandTime time;
  World world;
  Member a{*world.sqlite, "a"};
  Member b{*world.sqlite, "b"};
};

TEST_F(Leases, AFreeOneIsTakenAtOnceByOne) {
  const Lease::State taken = a.lease.step();
  EXPECT_TRUE(taken.held);
  EXPECT_GT(taken.token, 0);
  EXPECT_FALSE(b.holds());
  EXPECT_FALSE(b.lease.beat());
  pass(seconds(1));
  EXPECT_EQ(a.lease.step().token, taken.token);
}

TEST_F(Leases, AReleasedOneIsTakenAtTheNextLook) {
  ASSERT_TRUE(a.holds());
  ASSERT_FALSE(b.holds());
  a.lease.release();
  EXPECT_FALSE(a.lease.beat());
  EXPECT_LE(time_to_hold(b), seconds(1));
}

TEST_F(Leases, ASilentHolderIsRelievedInTimeAndNoticesBeforeItGoesOn) {
  const std::int64_t token = a.lease.step().token;
  b.lease.step();
  pass(seconds(3));
  ASSERT_TRUE(a.lease.beat());
  const auto waited = time_to_hold(b);
  EXPECT_GE(waited, silence);
  EXPECT_LE(waited, takeover_max);
  EXPECT_GT(b.lease.step().token, token);
  EXPECT_FALSE(a.lease.beat());
  EXPECT_FALSE(a.holds());
  a.lease.release();
  pass(seconds(1));
  EXPECT_TRUE(b.lease.beat()) << "who lost it does not release another's";
}

TEST_F(Leases, ASlowHolderIsNotHung) {
  ASSERT_TRUE(a.holds());
  for (int step = 0; step < 20; ++step) {
    for (int i = 0; i < 70; ++i) {
      pass(milliseconds(100));
      ASSERT_FALSE(b.holds());
    }
    ASSERT_TRUE(a.lease.beat());
  }
}

TEST_F(Leases, WhoWasStoppedItselfDoesNotTakeItFromALiveHolder) {
  ASSERT_TRUE(a.holds());
  ASSERT_FALSE(b.holds());
  for (int i = 0; i < 100; ++i) {
    pass(seconds(1));
    ASSERT_TRUE(a.lease.beat());
  }
  EXPECT_FALSE(b.holds()) << "it has not looked for 100 s";
}

// Each needs 9 s for every step of its work.
TEST_F(Leases, TwoSlowOnesDoNotTakeItFromEachOtherForEver) {
  Member* holder = &a;
  Member* waiting = &b;
  ASSERT_TRUE(holder->holds());
  int changes = 0;
  int steps_in_a_row = 0;
  for (int step = 0; step < 20; ++step) {
    for (int i = 0; i < 90; ++i) {
      pass(milliseconds(100));
      waiting->holds();
    }
    if (holder->lease.beat()) {
      ++steps_in_a_row;
      continue;
    }
    ++changes;
    steps_in_a_row = 0;
    std::swap(holder, waiting);
    ASSERT_TRUE(holder->lease.beat());
  }
  EXPECT_LE(changes, 2);
  EXPECT_GE(steps_in_a_row, 15);
}

TEST_F(Leases, PatienceEndsWithTheWorkItWasFor) {
  ASSERT_TRUE(a.holds());
  ASSERT_LE(time_to_hold(b), takeover_max);
  ASSERT_FALSE(a.lease.beat());
  b.lease.release();
  pass(seconds(1));
  ASSERT_TRUE(a.holds());
  a.lease.release();
  pass(seconds(1));
  ASSERT_TRUE(b.holds());
  EXPECT_LE(time_to_hold(a), takeover_max);
}

// Two hang one after the other: each is relieved in time, if the second was well before.
TEST_F(Leases, PatienceEndsWithAHolderWhoIsQuick) {
  ASSERT_TRUE(a.holds());
  ASSERT_LE(time_to_hold(b), takeover_max);
  ASSERT_FALSE(a.lease.beat());
  for (milliseconds well{0}; well < silence + seconds(1); well += milliseconds(100)) {
    ASSERT_TRUE(b.holds());
    ASSERT_FALSE(a.holds());
    pass(milliseconds(100));
  }
  EXPECT_LE(time_to_hold(a), takeover_max);
}

TEST_F(Leases, AHolderWithoutTheStoreGivesUpWhenOthersMayHaveTakenIt) {
  ASSERT_TRUE(a.holds());
  a.faults.fail("beat_lease", Fault::before);
  pass(silence - milliseconds(100));
  EXPECT_TRUE(a.lease.beat());
  pass(milliseconds(100));
  EXPECT_FALSE(a.lease.beat());
  a.faults.heal();
  EXPECT_LE(time_to_hold(a), seconds(1)) << "nobody has taken it";
}

TEST_F(Leases, ATakeInDoubtIsFoundToHaveTakenEffect) {
  a.faults.fail("take_lease", Fault::after, 1);
  EXPECT_FALSE(a.holds());
  EXPECT_LE(time_to_hold(a), seconds(1));
  EXPECT_FALSE(b.holds());
}

TEST_F(Leases, WhoCannotMakeABeatDoesNotHoldIt) {
  a.faults.fail("beat_lease", Fault::before);
  EXPECT_FALSE(a.holds());
  EXPECT_LE(time_to_hold(b), takeover_max);
}

TEST_F(Leases, BeatsAreWrittenNoOftenerThanTheirPeriod) {
  ASSERT_TRUE(a.holds());
  for (int step = 0; step < 1'000; ++step) {
    pass(milliseconds(1));
    ASSERT_TRUE(a.lease.beat());
  }
  EXPECT_LE(a.faults.calls("beat_lease"), 3U);
}

}  // namespace
}  // namespace seonchak
