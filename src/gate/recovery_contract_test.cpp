#include <algorithm>

#include <gtest/gtest.h>

#include "gate/testing/gate_contract.hpp"

namespace seonchak::testing {
namespace {

/// What core/ports/gate_recovery.hpp promises, of either gate.
class RecoveryContract : public GateContractTest {
 protected:
  /// A coupon on this gate, with these users.
  GateConfig sold(const std::vector<std::string>& users, std::int64_t stock = 100) {
    GateConfig coupon = make_config(stock);
    coupon.gate = control().identity(coupon.id)->name();
    installed(coupon);
    for (const std::string& user : users) EXPECT_EQ(decision_of(coupon, user), Decision::issued);
    return coupon;
  }

  static Holder holder(const std::string& user, Sequence sequence) {
    return {user, sequence, from_millis(1'700'000'000'000 + sequence.value())};
  }

  Outbox::Progress progress(const GateConfig& coupon) { return *outbox().progress({&coupon.id, 1}).front(); }
};

INSTANTIATE_TEST_SUITE_P(Twins, RecoveryContract, ::testing::Values("memory", "redis"),
                         [](const auto& kind) { return kind.param; });

TEST_P(RecoveryContract, ACouponThatIsShutAnswersNobody) {
  const GateConfig coupon = sold({"a", "b"});
  const auto remains = begin(coupon, "t");
  ASSERT_TRUE(remains) << remains.error().message;
  EXPECT_EQ(remains->epoch, 1);
  EXPECT_EQ(remains->sequence, 2);
  EXPECT_EQ(remains->persisted, 0);
  EXPECT_EQ(remains->holders, 2);
  EXPECT_EQ(claim_error(batch_of(coupon, {"a"})), Errc::gate_epoch);
  EXPECT_EQ(control().state(coupon.id).error().code, Errc::gate_epoch);
  EXPECT_EQ(control().configure(coupon).error().code, Errc::gate_epoch);
  EXPECT_EQ(control().holders_of(coupon, std::vector<std::string>{"a"}).error().code, Errc::gate_epoch);
  EXPECT_EQ(progress(coupon).epoch, 0);
  persisted(coupon, 2);
  EXPECT_EQ(read(coupon, 0).size(), 2U) << "watermarks do nothing";
}

TEST_P(RecoveryContract, BeginningAgainTellsTheSameRemains) {
  const GateConfig coupon = sold({"a"});
  ASSERT_TRUE(begin(coupon, "first"));
  const auto again = begin(coupon, "second");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->epoch, 1);
  EXPECT_EQ(again->sequence, 1);
}

TEST_P(RecoveryContract, OnlyTheLatestTokenWrites) {
  const GateConfig coupon = sold({"a"});
  ASSERT_TRUE(begin(coupon, "first"));
  ASSERT_TRUE(begin(coupon, "second"));
  const std::vector<Holder> holders = {holder("x", 9)};
  EXPECT_EQ(recovery().put_holders(coupon.id, "first", holders, false).error().code, Errc::gate_epoch);
  EXPECT_EQ(recovery().put_outbox(coupon.id, "first", {}, true).error().code, Errc::gate_epoch);
  EXPECT_EQ(recovery().open(coupon, "first", {9, 9, 9}).error().code, Errc::gate_epoch);
  EXPECT_EQ(recovery().survivors(coupon.id, 0)->size(), 1U);
  EXPECT_TRUE(recovery().put_holders(coupon.id, "second", holders, false));
}

TEST_P(RecoveryContract, AnotherCouponOfThatIdIsLeftAlone) {
  GateConfig coupon = sold({"a"});
  coupon.created_at += std::chrono::seconds(1);
  EXPECT_EQ(begin(coupon, "t").error().code, Errc::gate_epoch);
  coupon.created_at -= std::chrono::seconds(1);
  EXPECT_EQ(decision_of(coupon, "a"), Decision::already_issued);
}

TEST_P(RecoveryContract, WithoutAStateThereIsNothingLeft) {
  GateConfig coupon = make_config(5);
  coupon.gate = control().identity(coupon.id)->name();
  const auto remains = begin(coupon, "t");
  ASSERT_TRUE(remains) << remains.error().message;
  EXPECT_EQ(remains->epoch, 0);
  EXPECT_EQ(remains->sequence, 0);
  EXPECT_EQ(remains->holders, 0);
  EXPECT_TRUE(recovery().survivors(coupon.id, 0)->empty());
}

TEST_P(RecoveryContract, SurvivorsAreThoseAboveTheSequence) {
  const GateConfig coupon = sold({"a", "b", "c"});
  auto survivors = recovery().survivors(coupon.id, 1).value();
  std::ranges::sort(survivors, {}, &Holder::sequence);
  ASSERT_EQ(survivors.size(), 2U);
  EXPECT_EQ(survivors[0].user_id, "b");
  EXPECT_EQ(survivors[1].sequence, 3);
}

TEST_P(RecoveryContract, OpensWithWhatWasPut) {
  GateConfig coupon = sold({"a", "b"}, 5);
  ASSERT_TRUE(begin(coupon, "t"));
  const std::vector<Holder> holders = {holder("b", 2), holder("x", 7), holder("y", 8)};
  ASSERT_TRUE(recovery().put_holders(coupon.id, "t", holders, true));
  const std::vector<OutboxEntry> entries = {{coupon.id, 2, 7, from_millis(1'700'000'000'007), {"x", "y"}}};
  ASSERT_TRUE(recovery().put_outbox(coupon.id, "t", entries, true));
  coupon.epoch = 2;
  coupon.stock = 4;
  ++coupon.revision;
  ASSERT_TRUE(recovery().open(coupon, "t", {9, 6, 8}));

  EXPECT_EQ(progress(coupon).epoch, 2);
  EXPECT_EQ(progress(coupon).published, 6);
  EXPECT_EQ(progress(coupon).persisted, 6);
  const auto state = control().state(coupon.id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->stock, 4);
  EXPECT_EQ(state->issued, 3) << "a is forgotten";
  const auto found = control().holders_of(coupon, std::vector<std::string>{"x", "a", "b"}).value();
  EXPECT_EQ(found[0], holder("x", 7));
  EXPECT_FALSE(found[1]);
  EXPECT_EQ(found[2]->sequence, 2);
  EXPECT_EQ(claim_one(coupon, "new").sequence, 10);
  EXPECT_EQ(decision_of(coupon, "late"), Decision::sold_out);
  const auto outbox_now = read(coupon, 0);
  ASSERT_EQ(outbox_now.size(), 2U);
  EXPECT_EQ(outbox_now[0], entries[0]);
  EXPECT_EQ(outbox_now[1].first_sequence, 10);
}

TEST_P(RecoveryContract, AddsToWhatSurvived) {
  GateConfig coupon = sold({"a", "b"});
  ASSERT_TRUE(begin(coupon, "t"));
  ASSERT_TRUE(recovery().put_holders(coupon.id, "t", std::vector<Holder>{holder("c", 3)}, false));
  ASSERT_TRUE(recovery().put_holders(coupon.id, "t", {}, false));
  coupon.epoch = 2;
  ASSERT_TRUE(recovery().open(coupon, "t", {3, 0, 2}));
  EXPECT_EQ(control().state(coupon.id)->issued, 3);
  EXPECT_EQ(claim_one(coupon, "a").sequence, 1);
}

TEST_P(RecoveryContract, AMarkAtTheEndOfTheRebuiltOutboxReachesTheRebuiltSequence) {
  GateConfig coupon = sold({}, 20);
  ASSERT_TRUE(begin(coupon, "t"));
  const std::vector<OutboxEntry> entries = {{coupon.id, 2, 3, from_millis(1'700'000'000'007), {"x", "y"}}};
  ASSERT_TRUE(recovery().put_holders(coupon.id, "t", std::vector{holder("x", 3), holder("y", 4)}, true));
  ASSERT_TRUE(recovery().put_outbox(coupon.id, "t", entries, true));
  coupon.epoch = 2;
  ASSERT_TRUE(recovery().open(coupon, "t", {9, 2, 4}));
  const auto watermark = [&](Sequence sequence) {
    const Watermark reached{coupon.id, sequence, coupon.epoch};
    EXPECT_TRUE(outbox().raise_published({&reached, 1}).front());
    EXPECT_TRUE(outbox().raise_persisted({&reached, 1}).front());
    EXPECT_EQ(progress(coupon).published, progress(coupon).persisted);
    return progress(coupon).persisted;
  };
  EXPECT_EQ(watermark(3), 3);
  EXPECT_EQ(read(coupon, 0).size(), 1U);
  EXPECT_EQ(watermark(4), 9) << "5 to 9 have no entry";
  EXPECT_TRUE(read(coupon, 0).empty());
  EXPECT_EQ(claim_one(coupon, "new").sequence, 10);
  EXPECT_EQ(read(coupon, 0).size(), 1U);
  EXPECT_EQ(watermark(10), 10);
}

TEST_P(RecoveryContract, ALaterRevisionInTheGateStays) {
  GateConfig coupon = sold({}, 5);
  GateConfig changed = coupon;
  changed.stock = 9;
  changed.revision = 7;
  configure(changed);
  ASSERT_TRUE(begin(coupon, "t"));
  coupon.epoch = 2;
  coupon.revision = 3;
  ASSERT_TRUE(recovery().open(coupon, "t", {}));
  EXPECT_EQ(control().state(coupon.id)->stock, 9);
}

TEST_P(RecoveryContract, ThousandsOfHoldersGoInParts) {
  GateConfig coupon = sold({}, 10'000);
  std::vector<Holder> holders;
  for (int i = 1; i <= 2'500; ++i) holders.push_back(holder("user" + std::to_string(i), i));
  ASSERT_TRUE(begin(coupon, "t"));
  ASSERT_TRUE(recovery().put_holders(coupon.id, "t", holders, true));
  auto survivors = recovery().survivors(coupon.id, 0).value();
  std::ranges::sort(survivors, {}, &Holder::sequence);
  EXPECT_EQ(survivors, holders);
  coupon.epoch = 2;
  ASSERT_TRUE(recovery().open(coupon, "t", {2'500, 2'500, 2'500}));
  std::vector<std::string> users;
  for (const Holder& item : holders) users.push_back(item.user_id);
  const auto found = control().holders_of(coupon, users).value();
  ASSERT_EQ(found.size(), holders.size());
  EXPECT_TRUE(std::ranges::all_of(found, [](const auto& item) { return item.has_value(); }));
}

TEST_P(RecoveryContract, AnUntrustedServerIsNotAsked) {
  GateConfig coupon = sold({"a"});
  coupon.gate = "another/server";
  EXPECT_EQ(claim_error(batch_of(coupon, {"b"})), Errc::gate_untrusted);
  ++coupon.revision;
  EXPECT_EQ(control().configure(coupon).error().code, Errc::gate_untrusted);
  EXPECT_EQ(read(coupon, 0).size(), 1U) << "b was not decided";
}

}  // namespace
}  // namespace seonchak::testing
