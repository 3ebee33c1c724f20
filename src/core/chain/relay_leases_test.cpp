#include "core/chain/relay_leases.hpp"

#include <gtest/gtest.h>

#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"
#include "store/sqlite/connection.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

/// A relay as it is configured in production, in time that goes on when told.
struct OnDemand : World {
  explicit OnDemand(RelayOptions options = {})
      : reader(catalog),
        publisher(log.publisher(), faults, true, 10'000),
        relay(gate, publisher, reader, watermarks, metrics, health, named(std::move(options))) {
    for (const char* call : {"lease", "release", "settle_active", "progress"})
      EXPECT_EQ(faults.calls(call), 0U);
  }

  static RelayOptions named(RelayOptions options) {
    options.leases.owner = "relay";
    options.read_wait_max = 0ms;  // time goes on by itself only
    return options;
  }

  /// Steps for `duration`, each when the one before has asked for it.
  void run(std::chrono::milliseconds duration) {
    const auto until = time.passed + duration;
    while (time.passed < until) time.passed += std::max(relay.step(100ms), 1ms);
  }

  /// Runs until the coupon's outbox is published to its end. Returns how long that took, at most a minute.
  std::chrono::milliseconds time_to_publish(const std::string& coupon_id, Sequence sequence) {
    const auto began = time.passed;
    while (progress(coupon_id).published < sequence && time.passed - began < 60s) run(1ms);
    return time.passed - began;
  }

  std::size_t calls() const {
    std::size_t sum = 0;
    for (const char* call : {"active", "settle_active", "read", "release", "raise_published"})
      sum += faults.calls(call);
    return sum + coupons_asked;
  }

  void create_many(int count, bool closed) {
    for (int i = 0; i < count; ++i) {
      const std::string id = (closed ? "old" : "open") + std::to_string(i);
      Coupon coupon;
      coupon.id = coupon.name = id;
      coupon.stock = 10;
      coupon.epoch = coupon.settled = 1;
      coupon.closed = closed;
      coupon.gate = memory_gate.identity(id)->name();
      coupon.created_at = now();
      ASSERT_TRUE(sqlite->create_coupon(coupon));
      ASSERT_TRUE(memory_gate.install(committed(coupon)));
    }
    ASSERT_TRUE(catalog.refresh());
  }

  void lose_hints() {
    for (const auto& [id, hint] : memory_gate.active(100'000).value())
      ASSERT_TRUE(memory_gate.settle_active(id, hint));
  }

  std::size_t leases() const { return metric("seonchak_relay_leases"); }

  std::size_t metric(const std::string& name) const {
    const std::string text = metrics.text();
    return std::stoul(text.substr(text.find("\n" + name + " ") + name.size() + 2));
  }

  Health::Dependency told() const { return health.dependencies().at("relay"); }

  HandTime time;
  MemoryLog log;
  CatalogReader reader;
  FaultyPublisher publisher;
  Relay relay;
  std::size_t coupons_asked = 0;
};

TEST(RelayLeases, AnIdleRelayAsksForNoCoupon) {
  OnDemand world;
  world.create_many(300, true);
  world.create_many(100, false);
  world.run(30s);  // the first round over all
  const std::size_t before = world.calls();
  world.gate.on_progress = [&](std::size_t count) { world.coupons_asked += count; };
  world.run(10s);
  EXPECT_LT(world.calls() - before, 10 * 20U) << "commands in ten seconds";
  EXPECT_EQ(world.coupons_asked, 0U);
  EXPECT_EQ(world.faults.calls("lease"), 0U);
}

TEST(RelayLeases, AClaimedCouponIsServedAndGivenBackOnceItIsQuiet) {
  OnDemand world;
  world.create("c", 100);
  world.create("d", 100);
  world.run(1s);
  world.issue("c", 3);
  EXPECT_LE(world.time_to_publish("c", 3), 260ms);
  world.run(4s);
  EXPECT_EQ(world.leases(), 1U);
  world.run(4s);
  EXPECT_EQ(world.leases(), 0U);
  EXPECT_TRUE(world.memory_gate.active(10)->empty()) << "its hint is settled";
  world.issue("c", 1);
  EXPECT_LE(world.time_to_publish("c", 4), 260ms);
  EXPECT_EQ(logged_sequences(world.log, "c"), one_to(4));
}

TEST(RelayLeases, ACouponThatIsClaimedAllTheTimeIsKept) {
  OnDemand world;
  world.create("c", 1'000);
  for (int i = 0; i < 20; ++i) {
    world.issue("c", 1);
    world.run(1s);
  }
  EXPECT_EQ(world.faults.calls("release"), 0U);
  EXPECT_EQ(world.faults.calls("settle_active"), 0U);
}

TEST(RelayLeases, WhoWaitsElsewhereIsNoticedWithin50Milliseconds) {
  OnDemand world;
  world.create("c", 100, Ack::log);
  world.run(10s);
  world.issue("c", 1);
  EXPECT_LE(world.time_to_publish("c", 1), 52ms);
}

TEST(RelayLeases, WhoWaitsInThisProcessIsNoticedAtOnce) {
  OnDemand world;
  world.create("c", 100, Ack::store);
  world.run(10s);
  world.lose_hints();
  world.issue("c", 1);
  world.lose_hints();
  world.watermarks.want("c");
  EXPECT_LE(world.time_to_publish("c", 1), 1ms);
}

TEST(RelayLeases, TheSweepFindsACouponWhoseHintWasLost) {
  OnDemand world;
  world.create_many(320, false);
  world.run(30s);
  for (const char* id : {"open0", "open319"}) {
    world.issue(id, 2);
    world.lose_hints();
    EXPECT_LE(world.time_to_publish(id, 2), 25s) << id;
  }
}

TEST(RelayLeases, ANewRelayFindsWhatWaitsInAThousandCouponsWithinASecondOrSo) {
  OnDemand world;
  world.create_many(1'000, false);
  world.create_many(500, true);
  world.issue("open999", 2);
  const Epoch epoch = 1;
  const Watermark none{"old499", 0, epoch};
  ASSERT_TRUE(world.memory_gate.read({&none, 1}, 1, no_wait));
  world.lose_hints();
  EXPECT_LE(world.time_to_publish("open999", 2), 1'200ms);
}

TEST(RelayLeases, AClosedCouponIsSweptOnceUntilItChanges) {
  OnDemand world;
  world.create_many(100, true);
  world.run(60s);
  std::size_t swept = 0;
  const std::size_t before = world.faults.calls("read");
  world.run(60s);
  swept = world.faults.calls("read") - before;
  EXPECT_EQ(swept, 0U);
}

TEST(RelayLeases, ACouponThatCannotBeUsedStopsNoOtherAndIsToldOnce) {
  OnDemand world;
  world.create("c", 100);
  world.create("d", 100);
  world.gate.unusable_outboxes.insert("c");
  world.issue("c", 1);
  world.issue("d", 1);
  EXPECT_LE(world.time_to_publish("d", 1), 260ms);
  world.run(12s);
  EXPECT_EQ(world.progress("c").published, 0);
  EXPECT_LE(world.faults.calls("lease"), 60U);
  world.gate.unusable_outboxes.clear();
  EXPECT_LE(world.time_to_publish("c", 1), 5'300ms);
}

TEST(RelayLeases, WhatAnotherRelayServesIsLeftToIt) {
  OnDemand world;
  world.create("c", 100);
  const std::string id = "c";
  world.issue("c", 1);
  for (int second = 0; second < 6; ++second) {
    ASSERT_TRUE(world.memory_gate.lease({&id, 1}, "another", 3s).front().value());
    world.run(1s);
  }
  EXPECT_EQ(world.progress("c").published, 0);
  EXPECT_LE(world.faults.calls("lease"), 12U) << "asked for again no sooner than in a lease's period";
  ASSERT_TRUE(world.memory_gate.release({&id, 1}, "another").front());
  EXPECT_LE(world.time_to_publish("c", 1), 1s);
}

TEST(RelayLeases, ALeaseThatAClocksGlitchMadeLongEndsAfterOneOfOrdinaryLength) {
  OnDemand world;
  world.create("c", 100);
  const std::string id = "c";
  ASSERT_TRUE(world.memory_gate.lease({&id, 1}, "gone", 2h).front().value());
  world.issue("c", 1);
  EXPECT_LE(world.time_to_publish("c", 1), 4s);
}

TEST(RelayLeases, AHintAfterTheLastLookIsNotSettled) {
  OnDemand world;
  world.create("c", 100);
  world.issue("c", 1);
  world.run(4'500ms);
  world.issue("c", 1);
  world.run(3s);
  EXPECT_EQ(world.faults.calls("settle_active"), 0U);
  EXPECT_EQ(world.progress("c").published, 2);
}

TEST(RelayLeases, WhatALogInMemoryWouldForgetIsKeptUntilTheStoreHasIt) {
  HandTime time;
  World world;
  MemoryLog log;
  world.create("c", 100, Ack::store);
  RelayLife life(world, log);
  world.issue("c", 2);
  for (int i = 0; i < 20; ++i, time.passed += 1s) life.relay.step(no_wait);
  EXPECT_EQ(logged_sequences(log, "c"), one_to(2)) << "taken up anew, it would come a second time";
  const Watermark saved{"c", 2, 1};
  ASSERT_TRUE(world.memory_gate.raise_persisted({&saved, 1}).front());
  for (int i = 0; i < 3; ++i, time.passed += 1s) life.relay.step(no_wait);
  EXPECT_EQ(world.faults.calls("settle_active"), 1U);
}

TEST(RelayHealth, EventsThatTheLogDoesNotTakeAreTold) {
  OnDemand world;
  world.create("c", 100);
  world.issue("c", 1);
  world.run(2s);
  EXPECT_TRUE(world.health.dependencies().at("relay").up);
  world.faults.fail("publish", Fault::before);
  world.issue("c", 1);
  world.run(8s);
  EXPECT_TRUE(world.health.dependencies().at("relay").up);
  world.run(6s);
  EXPECT_FALSE(world.health.dependencies().at("relay").up);
  EXPECT_NE(world.metrics.text().find("\nseonchak_outbox_age_seconds 1"), std::string::npos);
  world.faults.heal();
  world.run(2s);
  EXPECT_TRUE(world.health.dependencies().at("relay").up);
}

TEST(RelayHealth, ARelayThatCanLeaseNothingIsTold) {
  OnDemand world;
  world.create("c", 100);
  world.gate.unusable_outboxes.insert("c");
  world.issue("c", 1);
  world.run(9s);
  EXPECT_TRUE(world.health.dependencies().at("relay").up);
  world.run(4s);
  EXPECT_FALSE(world.health.dependencies().at("relay").up);
  EXPECT_NE(world.health.dependencies().at("relay").detail.find("foreign keys"), std::string::npos);
}

TEST(RelayHealth, ACouponThatCannotBeServedIsToldWhileOthersAre) {
  OnDemand world;
  world.create("sick", 100);
  world.create("well", 100);
  world.gate.foreign_leases.insert("sick");
  world.issue("sick", 1);
  world.lose_hints();
  for (int second = 0; second < 13; ++second) {
    world.issue("well", 1);
    world.run(1s);
  }
  EXPECT_FALSE(world.told().up);
  EXPECT_NE(world.told().detail.find("coupon sick"), std::string::npos) << world.told().detail;
  EXPECT_EQ(world.metric("seonchak_relay_coupons_stuck"), 1U);
  EXPECT_GE(world.metric("seonchak_outbox_age_seconds"), 10U);
  world.gate.foreign_leases.clear();
  world.run(7s);
  EXPECT_TRUE(world.told().up);
  EXPECT_EQ(world.metric("seonchak_relay_coupons_stuck"), 0U);
  EXPECT_EQ(world.progress("sick").published, 1);
}

TEST(RelayHealth, ACouponThatCannotBeServedIsNoTroubleWhileNothingOfItWaits) {
  OnDemand world;
  world.create("c", 100);
  world.issue("c", 1);
  EXPECT_LE(world.time_to_publish("c", 1), 260ms);
  const Watermark saved{"c", 1, 1};
  ASSERT_TRUE(world.memory_gate.raise_persisted({&saved, 1}).front());
  world.gate.foreign_leases.insert("c");
  world.run(30s);
  EXPECT_TRUE(world.told().up) << world.told().detail;
  EXPECT_EQ(world.metric("seonchak_relay_coupons_stuck"), 0U);
}

TEST(RelayHealth, SoIsOneThatCanBeLeasedAndNotRead) {
  OnDemand world;
  world.create("sick", 100);
  world.create("well", 100);
  world.gate.malformed_entries["sick"] = 1;
  world.issue("sick", 1);
  for (int second = 0; second < 13; ++second) {
    world.issue("well", 1);
    world.run(1s);
  }
  EXPECT_FALSE(world.told().up);
  EXPECT_NE(world.told().detail.find("coupon sick"), std::string::npos) << world.told().detail;
  world.gate.malformed_entries.clear();
  world.run(7s);
  EXPECT_TRUE(world.told().up);
  EXPECT_EQ(world.progress("sick").published, 1);
}

TEST(RelayHealth, ACouponThatIsGoneIsNotToldAnyMore) {
  OnDemand world;
  world.create("c", 100);
  world.gate.foreign_leases.insert("c");
  world.issue("c", 1);
  world.run(13s);
  EXPECT_FALSE(world.told().up);
  ASSERT_TRUE(
      SqliteConnection(world.dir.file("store.db"), 5'000).script("DELETE FROM coupon WHERE id = 'c'"));
  world.time.passed += 10s;  // the catalog compares now and then
  ASSERT_TRUE(world.catalog.refresh());
  ASSERT_TRUE(world.catalog.refresh());
  world.run(2s);
  EXPECT_TRUE(world.told().up);
}

TEST(RelayHealth, SoIsOneWhoseGateIsAway) {
  OnDemand world;
  world.create("c", 100);
  world.faults.fail("active", Fault::before);
  world.run(12s);
  EXPECT_FALSE(world.health.dependencies().at("relay").up);
  world.faults.heal();
  world.run(2s);
  EXPECT_TRUE(world.health.dependencies().at("relay").up);
}

}  // namespace
}  // namespace seonchak
