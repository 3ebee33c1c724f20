#include <algorithm>

#include <gtest/gtest.h>

#include "core/chain/consumer.hpp"
#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

/// Two coupons, of which one can be sick, and a log that begins with bare requests for that one.
struct Neighbours : World {
  explicit Neighbours(int bare = 0, std::size_t batch_max = 1'000)
      : relay(*this, log), life(*this, log, batch_max) {
    for (const char* id : {"well", "sick"}) create(id, 1'000);
    for (int i = 0; i < bare; ++i) life.log.strange[i] = BareRequest{"sick", "bare" + std::to_string(i)};
    const std::vector<IssuedEvent> slots(life.log.strange.size());
    EXPECT_EQ(log.publisher()->publish(slots), slots.size());
  }

  void add(const std::string& coupon_id, int count) {
    issue(coupon_id, count);
    relay.drain();
  }

  /// A recovery has opened a coupon in another epoch, as far as the store is concerned.
  void begin_epoch(const std::string& coupon_id, Epoch epoch) {
    ASSERT_TRUE(sqlite->update_coupon(coupon_id, [&](Coupon& row) -> Result<void> {
      row.epoch = epoch;
      row.settled = epoch;
      return {};
    }));
    ASSERT_TRUE(catalog.refresh());
  }

  std::vector<std::string> letters() const {
    std::vector<std::string> texts;
    for (const auto& letter : log.dead_letters())
      texts.push_back(std::to_string(letter.record.offset) + " " + letter.reason);
    return texts;
  }

  std::int64_t position() const {
    const auto positions = sqlite->positions(life.log.group(), life.log.topic()).value();
    return positions.empty() ? 0 : positions.front().next_offset;
  }

  MemoryLog log;
  RelayLife relay;
  ConsumerLife life;
};

using Letters = std::vector<std::string>;

TEST(Isolation, ABareRequestForACouponThatCannotBeUsedIsDeadLettered) {
  Neighbours world(1);
  world.add("well", 3);
  world.gate.unusable_claims.insert("sick");
  world.life.steps(3);
  EXPECT_EQ(world.letters(), (Letters{"0 gate_unusable"}));
  EXPECT_EQ(world.saved_sequences("well"), one_to(3));
  EXPECT_EQ(world.position(), 4);
}

TEST(Isolation, SoIsOneForACouponThatCouldNeverBeOpened) {
  Neighbours world(1);
  ASSERT_TRUE(world.sqlite->update_coupon("sick", [](Coupon& row) -> Result<void> {
    row.settled = 0;
    return {};
  }));
  world.faults.fail("install", Fault::before);
  (void)world.catalog.refresh();
  world.gate.unusable_claims.insert("sick");
  world.add("well", 3);
  world.life.steps(3);
  EXPECT_EQ(world.letters(), (Letters{"0 gate_unusable"}));
  EXPECT_EQ(world.saved_sequences("well"), one_to(3));
}

TEST(Isolation, IssuedEventsDoNotWaitForAGateThatIsAway) {
  Neighbours world(2);
  world.add("well", 3);
  world.faults.fail("claim_now", Fault::before);
  world.life.steps(4);
  EXPECT_EQ(world.saved_sequences("well"), one_to(3));
  EXPECT_EQ(world.progress("well").persisted, 3) << "and its outbox is trimmed";
  EXPECT_EQ(world.position(), 0) << "the bare requests are still to be decided";
  EXPECT_TRUE(world.letters().empty());
  world.faults.heal();
  world.life.steps(3);
  world.relay.drain();
  world.life.steps(3);
  EXPECT_EQ(world.saved_sequences("sick"), one_to(2));
  EXPECT_EQ(world.position(), 7);
}

// A gate that answers, but says for long that it cannot decide this coupon, is no gate that is away.
TEST(Isolation, ABareRequestIsNotWaitedForWithoutEnd) {
  HandTime time;
  Neighbours world(2);
  world.add("well", 1);
  world.begin_epoch("sick", 7);  // the gate is in another one, and nobody recovers it
  world.life.steps_for(BareRequestOptions().undecided_max - std::chrono::seconds(1));
  EXPECT_TRUE(world.letters().empty());
  EXPECT_EQ(world.saved_sequences("well"), one_to(1));
  world.life.steps_for(std::chrono::seconds(2));
  EXPECT_EQ(world.letters(), (Letters{"0 gate_epoch", "1 gate_epoch"}));
  EXPECT_EQ(world.position(), 3);
}

TEST(Isolation, AMinuteWithoutAnyGateDeadLettersNothing) {
  HandTime time;
  World world;
  MemoryLog log;
  world.create("sick", 1);
  const std::vector<IssuedEvent> slot(1);
  ASSERT_EQ(log.publisher()->publish(slot), 1U);
  ConsumerLife life(world, log, ConsumerOptions());
  life.log.strange[0] = BareRequest{"sick", "kim"};
  world.faults.fail("claim_now", Fault::before);
  life.steps_for(std::chrono::minutes(1));
  EXPECT_TRUE(log.dead_letters().empty());
  EXPECT_GE(world.faults.calls("claim_now"), 30U);
  EXPECT_LE(world.faults.calls("claim_now"), 40U) << "it is asked ever more seldom";
}

TEST(Isolation, ADeadLetterTopicThatIsAwayHoldsUpNoIssuedEvent) {
  Neighbours world(1);
  world.add("well", 3);
  world.gate.unusable_claims.insert("sick");
  world.faults.fail("dead_letter", Fault::before);
  world.life.steps(4);
  EXPECT_EQ(world.saved_sequences("well"), one_to(3));
  EXPECT_EQ(world.position(), 0);
}

TEST(Isolation, AHeldRowHoldsUpItsOwnCouponOnly) {
  HandTime time;  // no try takes long
  Neighbours world;
  for (int i = 0; i < 3; ++i) {
    world.add("sick", 1);
    world.add("well", 1);
  }
  world.store.busy_coupons.insert("sick");
  world.life.steps(8);
  EXPECT_EQ(world.saved_sequences("well"), one_to(3));
  EXPECT_TRUE(world.saved_sequences("sick").empty());
  EXPECT_EQ(world.position(), 0);
  EXPECT_TRUE(world.letters().empty()) << "a lock is no refusal";
  world.store.busy_coupons.clear();
  world.life.steps(4);
  EXPECT_EQ(world.saved_sequences("sick"), one_to(3));
  EXPECT_EQ(world.position(), 6);
}

/// What a batch of the consumer keeps as late claims.
struct Late : Neighbours {
  explicit Late(int bare = 0) : Neighbours(bare) {
    store.on_save = [this](const SaveBatch& batch) {
      if (batch.late.empty()) return;
      kept.insert(kept.end(), batch.late.begin(), batch.late.end());
      moved_with = !batch.positions.empty();
    };
  }
  std::vector<LateClaim> kept;
  bool moved_with = false;
};

TEST(LateEvents, AreKeptInTheTransactionThatMovesThePositionAndAskNoGate) {
  Late world;
  world.add("sick", 2);
  const auto issued_at = world.outbox("sick").front().issued_at;
  world.begin_epoch("sick", 2);
  world.add("well", 1);
  for (const char* call : {"claim_now", "holders_of", "state", "states"})
    world.faults.fail(call, Fault::before);
  const std::size_t before = world.faults.calls("holders_of") + world.faults.calls("claim_now");
  world.life.steps(2);
  ASSERT_EQ(world.kept.size(), 2U);
  EXPECT_EQ(world.kept.front().coupon_id, "sick");
  EXPECT_EQ(world.kept.front().claim.holder.sequence, 1);
  EXPECT_EQ(world.kept.front().claim.holder.issued_at, issued_at);
  EXPECT_EQ(world.kept.front().claim.epoch, 1);
  EXPECT_TRUE(world.moved_with);
  EXPECT_EQ(world.faults.calls("holders_of") + world.faults.calls("claim_now"), before);
  EXPECT_TRUE(world.saved_sequences("sick").empty()) << "whether they count is for a recovery to say";
  EXPECT_EQ(world.saved_sequences("well"), one_to(1));
  EXPECT_EQ(world.position(), 3);
  EXPECT_TRUE(world.letters().empty());
}

TEST(LateEvents, AnEventIsLateFromTheMomentInWhichItsRowIsRefused) {
  Late world;
  world.add("sick", 2);
  world.life.steps(1);
  ASSERT_TRUE(world.sqlite->update_coupon("sick", [](Coupon& row) -> Result<void> {
    row.epoch = 2;
    return {};
  }));
  world.life.steps(2);
  EXPECT_EQ(world.kept.size(), 2U);
  EXPECT_TRUE(world.saved_sequences("sick").empty());
  EXPECT_EQ(world.position(), 2);
}

TEST(LateEvents, AreKeptAlsoWhileABareRequestMustWait) {
  Late world(1);
  world.add("sick", 1);
  world.begin_epoch("sick", 2);
  world.faults.fail("claim_now", Fault::before);
  world.life.steps(4);
  ASSERT_EQ(world.kept.size(), 1U);
  EXPECT_EQ(world.position(), 0);
}

}  // namespace
}  // namespace seonchak
