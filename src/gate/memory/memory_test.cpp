#include "gate/memory/memory.hpp"

#include <gtest/gtest.h>

#include "gate/testing/gate_twin.hpp"

namespace seonchak {
namespace {

TEST(MemoryGate, RestoredHoldersKeepTheirSequencesAndNewOnesFollow) {
  MemoryGate gate;
  const GateConfig coupon = testing::make_config(4);
  const std::vector<Holder> page_one = {{"a", 1, from_millis(10)}, {"b", 2, from_millis(20)}};
  const std::vector<Holder> page_two = {{"c", 3, from_millis(30)}};
  ASSERT_TRUE(gate.restore(coupon, page_one));
  ASSERT_TRUE(gate.restore(coupon, page_two));

  const auto state = gate.state(coupon.id);
  EXPECT_EQ(state->sequence, 3);
  EXPECT_EQ(state->issued, 3);
  EXPECT_EQ(state->published, 3);
  EXPECT_EQ(state->persisted, 3);

  const auto reply = gate.claim_now(testing::batch_of(coupon, {"b", "d", "e"}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->claims[0].decision, Decision::already_issued);
  EXPECT_EQ(reply->claims[0].sequence, 2);
  EXPECT_EQ(reply->claims[0].issued_at, from_millis(20));
  EXPECT_EQ(reply->claims[1].sequence, 4);
  EXPECT_EQ(reply->claims[2].decision, Decision::sold_out);
}

TEST(MemoryGate, ACouponIsRestoredBeforeItIssuesNotAfter) {
  MemoryGate gate;
  const GateConfig coupon = testing::make_config(4);
  ASSERT_TRUE(gate.restore(coupon, {}));
  ASSERT_TRUE(gate.install(coupon)) << "what is restored is installed";
  ASSERT_TRUE(gate.claim_now(testing::batch_of(coupon, {"a"})));
  EXPECT_EQ(gate.restore(coupon, {}).error().code, Errc::invalid);
}

TEST(MemoryGate, AHandlerMayClaimAgain) {
  MemoryGate gate;
  const GateConfig coupon = testing::make_config(4);
  ASSERT_TRUE(gate.install(coupon));
  Sequence second = 0;
  gate.claim(testing::batch_of(coupon, {"a"}), [&](Result<ClaimReply>) {
    gate.claim(testing::batch_of(coupon, {"b"}),
               [&](Result<ClaimReply> reply) { second = reply->claims[0].sequence; });
  });
  EXPECT_EQ(second, 2);
}

}  // namespace
}  // namespace seonchak
