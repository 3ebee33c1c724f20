#include <gtest/gtest.h>

#include "core/chain/consumer.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

/// A coupon "c", and a log that begins with records written by strangers.
struct Strangers : World {
  explicit Strangers(std::vector<Message> messages, std::int64_t stock = 1'000,
                     MemoryGateOptions options = {})
      : World(options), relay(*this, log), life(*this, log) {
    create("c", stock);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      life.log.strange[static_cast<std::int64_t>(i)] = std::move(messages[i]);
    }
    const std::vector<IssuedEvent> slots(life.log.strange.size());
    EXPECT_EQ(log.publisher()->publish(slots), slots.size());
  }

  void flow(int rounds = 4) {
    for (int i = 0; i < rounds; ++i) {
      relay.drain();
      life.drain();
    }
  }

  /// "offset reason" of each dead letter.
  std::vector<std::string> letters() const {
    std::vector<std::string> texts;
    for (const auto& letter : log.dead_letters()) {
      texts.push_back(std::to_string(letter.record.offset) + " " + letter.reason);
    }
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

TEST(DeadLetters, AMalformedRecordStopsNothing) {
  Strangers world({Malformed{"not JSON"}});
  world.issue("c", 3);
  world.flow();
  EXPECT_EQ(world.letters(), (Letters{"0 not JSON"}));
  EXPECT_EQ(world.saved_sequences("c"), one_to(3));
  EXPECT_EQ(world.position(), 4);
}

TEST(DeadLetters, ThePositionWaitsForTheLettersAcknowledgement) {
  Strangers world({Malformed{"not JSON"}});
  world.faults.fail("dead_letter", Fault::before, 3);
  world.flow();
  EXPECT_EQ(world.letters(), (Letters{"0 not JSON"}));
  EXPECT_EQ(world.position(), 1);
}

TEST(DeadLetters, AnEventOfAnUnknownCoupon) {
  Strangers world({IssuedEvent{"nothing", "kim", 1, now(), 1}});
  world.issue("c", 3);
  world.flow();
  EXPECT_EQ(world.letters(), (Letters{"0 coupon_not_found"}));
  EXPECT_EQ(world.saved_sequences("c"), one_to(3));
}

TEST(DeadLetters, NoCouponIsUnknownWhileTheStoreDoesNotAnswer) {
  Strangers world({IssuedEvent{"late", "kim", 1, now(), 1}});
  Coupon late;
  late.id = "late";
  late.name = "made elsewhere";
  late.stock = 5;
  late.created_at = now();
  ASSERT_TRUE(world.sqlite->create_coupon(late));
  world.faults.fail("coupons_since", Fault::before, 3);
  world.flow();
  EXPECT_TRUE(world.letters().empty());
  EXPECT_EQ(world.saved_sequences("late"), one_to(1));
}

TEST(DeadLetters, NothingOfABatchIsSavedOrRefusedThatNobodyCouldLookUp) {
  Strangers world({IssuedEvent{"nothing", "kim", 1, now(), 1}});
  world.life.steps(1);
  world.faults.fail("coupons_since", Fault::before);
  world.life.steps(3);
  EXPECT_TRUE(world.saved_sequences("nothing").empty());
  EXPECT_TRUE(world.letters().empty());
  EXPECT_EQ(world.position(), 0) << "whoever comes next decides";
}

TEST(DeadLetters, PoisonInsideABatchTakesNoOtherRecordWithIt) {
  constexpr int events = 9;
  for (const unsigned poison : {0x001U, 0x002U, 0x010U, 0x100U, 0x003U, 0x180U, 0x155U, 0x0aaU, 0x1ffU}) {
    Strangers world({});
    std::vector<Sequence> expected;
    Letters letters;
    for (int i = 0; i < events; ++i) {
      if ((poison >> i) % 2 == 0) {
        expected.push_back(i + 1);
        continue;
      }
      // Another user holds this sequence already: the evidence of an over-issue.
      const IssuedEvent impostor{"c", "impostor" + std::to_string(i), i + 1, now(), 1};
      ASSERT_TRUE(world.sqlite->save({"g", "t", {impostor}, {}}));
      letters.push_back(std::to_string(i));
    }
    world.issue("c", events);
    world.flow();
    std::vector<Sequence> saved;
    for (const Holder& holder : world.sqlite->holders("c", 0, 100).value()) {
      if (holder.user_id.starts_with("user")) saved.push_back(holder.sequence);
    }
    EXPECT_EQ(saved, expected) << "poison " << poison;
    EXPECT_EQ(world.position(), events) << "poison " << poison;
    ASSERT_EQ(world.letters().size(), letters.size()) << "poison " << poison;
    for (std::size_t i = 0; i < letters.size(); ++i)
      EXPECT_TRUE(world.letters()[i].starts_with(letters[i] + " "));
  }
}

TEST(DeadLetters, ADeathWhileABatchWithPoisonIsTakenApartLosesNothing) {
  constexpr int events = 6;
  for (std::size_t saves = 1; saves < 8; ++saves) {
    World world;
    MemoryLog log;
    world.create("c", 100);
    ASSERT_TRUE(world.sqlite->save({"g", "t", {{"c", "impostor", 3, now(), 1}}, {}}));
    world.issue("c", events);
    RelayLife(world, log).drain();
    {
      ConsumerLife dying(world, log);
      world.faults.fail("save", Fault::before, FaultPlan::for_ever, saves);
      dying.steps(20);
      world.faults.heal();
    }
    ConsumerLife(world, log).drain();
    EXPECT_EQ(world.saved_sequences("c"), one_to(events)) << "dead after save " << saves;
    for (const auto& letter : log.dead_letters()) EXPECT_EQ(letter.record.offset, 2);
  }
}

TEST(DeadLetters, ABatchWithPoisonEndsBehindItsLastRecordToo) {
  Strangers world(
      {IssuedEvent{"c", "kim", 1, now(), 1}, IssuedEvent{"c", "lee", 1, now(), 1}, Malformed{"not JSON"}});
  world.flow();
  EXPECT_EQ(world.letters().size(), 2U);
  EXPECT_EQ(world.position(), 3);
}

TEST(BareRequest, IsDecidedByTheGateAndComesBackThroughTheOutbox) {
  Strangers world({BareRequest{"c", "kim"}, BareRequest{"c", "lee"}, BareRequest{"c", "kim"}});
  world.flow();
  EXPECT_EQ(world.saved_sequences("c"), one_to(2));
  EXPECT_EQ(world.claim("c", "kim").sequence, 1);
  EXPECT_TRUE(world.letters().empty());
  EXPECT_TRUE(world.outbox("c").empty());
}

TEST(BareRequest, ARefusalIsTheReasonOfItsDeadLetter) {
  Strangers world({BareRequest{"c", "kim"}, BareRequest{"c", "lee"}, BareRequest{"nothing", "kim"}}, 1);
  world.flow();
  EXPECT_EQ(world.letters(), (Letters{"1 sold_out", "2 coupon_not_found"}));
  EXPECT_EQ(world.saved_sequences("c"), one_to(1));
}

TEST(BareRequest, WaitsForAGateThatIsAway) {
  Strangers world({BareRequest{"c", "kim"}});
  world.faults.fail("claim_now", Fault::before, 2);
  world.flow();
  EXPECT_EQ(world.saved_sequences("c"), one_to(1));
  EXPECT_TRUE(world.letters().empty());
}

TEST(BareRequest, ADecisionInDoubtIssuesOnce) {
  Strangers world({BareRequest{"c", "kim"}});
  world.faults.fail("claim_now", Fault::after, 2);
  world.flow();
  EXPECT_EQ(world.saved_sequences("c"), one_to(1));
}

// Only the consumer empties the outbox: if it waited for room there, it would wait for itself.
TEST(BareRequest, AFullOutboxIsARefusalAndNoDeadlock) {
  Strangers world({BareRequest{"c", "kim"}}, 1'000, {.outbox_sequences_max = 2});
  world.issue("c", 2);
  world.flow();
  EXPECT_EQ(world.letters(), (Letters{"0 outbox_full"}));
  EXPECT_EQ(world.saved_sequences("c"), one_to(2));
  EXPECT_EQ(world.claim("c", "kim").decision, Decision::issued) << "there is room again";
}

}  // namespace
}  // namespace seonchak
