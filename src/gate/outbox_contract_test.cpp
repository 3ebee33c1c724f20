#include <algorithm>
#include <optional>
#include <thread>

#include "gate/testing/gate_contract.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::eventually;
using testing::make_config;
using testing::make_twin;
using testing::unique_id;
using Names = std::vector<std::string>;

class OutboxContract : public testing::GateContractTest {
 protected:
  Names leased(const Names& ids, const std::string& owner, std::chrono::milliseconds ttl) {
    Names leased;
    const auto answers = outbox().lease(ids, owner, ttl);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      EXPECT_TRUE(answers[i]) << answers[i].error().message;
      if (answers[i] && *answers[i]) leased.push_back(ids[i]);
    }
    return leased;
  }

  std::optional<ActiveCoupon> hint_of(const GateConfig& coupon) {
    const auto active = outbox().active(1'000'000);
    EXPECT_TRUE(active) << active.error().message;
    if (!active) return std::nullopt;
    const auto found = std::ranges::find(*active, coupon.id, &ActiveCoupon::coupon_id);
    return found == active->end() ? std::nullopt : std::optional(*found);
  }
};

INSTANTIATE_TEST_SUITE_P(Twins, OutboxContract, ::testing::Values("memory", "redis"),
                         [](const auto& info) { return info.param; });

TEST_P(OutboxContract, TheOutboxHoldsEachBatchWithItsNewUsersOnly) {
  const GateConfig coupon = installed(make_config(10));
  const Claim a = claim_one(coupon, "a");
  ASSERT_TRUE(twin_->claim(batch_of(coupon, {"a", "b", "c", "b"})));
  claim_one(coupon, "c");
  const auto entries = read(coupon, 0);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].coupon_id, coupon.id);
  EXPECT_EQ(entries[0].epoch, coupon.epoch);
  EXPECT_EQ(entries[0].first_sequence, 1);
  EXPECT_EQ(entries[0].users, Names({"a"}));
  EXPECT_EQ(entries[0].issued_at, a.issued_at);
  EXPECT_EQ(entries[1].first_sequence, 2);
  EXPECT_EQ(entries[1].users, Names({"b", "c"}));
}

TEST_P(OutboxContract, AReadStartsAfterItsMarkAndReturnsAPartlyReadEntryWhole) {
  const GateConfig coupon = installed(make_config(10));
  claim_one(coupon, "a");
  ASSERT_TRUE(twin_->claim(batch_of(coupon, {"b", "c", "d"})));
  claim_one(coupon, "e");
  EXPECT_EQ(read(coupon, 1).at(0).first_sequence, 2);
  EXPECT_EQ(read(coupon, 3).at(0).first_sequence, 2) << "2 to 4 is one entry, and 4 is above the watermark";
  EXPECT_EQ(read(coupon, 4).at(0).first_sequence, 5);
  EXPECT_TRUE(read(coupon, 5).empty());
}

TEST_P(OutboxContract, AReadReturnsTheOldestEntriesOfEachCouponUpToItsLimit) {
  const GateConfig one = installed(make_config(10));
  const GateConfig two = installed(make_config(10));
  for (const auto* user : {"a", "b", "c"}) {
    claim_one(one, user);
    claim_one(two, user);
  }
  const std::vector<Watermark> after = {{one.id, 0}, {two.id, 2}, {unique_id("none"), 0}};
  const auto read = outbox().read(after, 2, 0ms);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->failed.empty()) << "what is not there is empty";
  std::map<std::string, std::vector<Sequence>> sequences;
  for (const OutboxEntry& entry : read->entries) sequences[entry.coupon_id].push_back(entry.first_sequence);
  EXPECT_EQ(sequences[one.id], std::vector<Sequence>({1, 2}));
  EXPECT_EQ(sequences[two.id], std::vector<Sequence>({3}));
  EXPECT_EQ(sequences.size(), 2u);
}

TEST_P(OutboxContract, AReadWithoutEntriesEndsAfterItsWait) {
  const GateConfig coupon = installed(make_config(1));
  const Watermark watermark{coupon.id, 0};
  const auto start = std::chrono::steady_clock::now();
  const auto read = outbox().read({&watermark, 1}, 10, 50ms);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->entries.empty());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
  EXPECT_TRUE(outbox().read({}, 10, 1ms)->entries.empty());
}

TEST_P(OutboxContract, AWaitingReadWakesUpForANewEntry) {
  const GateConfig coupon = installed(make_config(1));
  constexpr auto wait = 60s;
  const auto start = std::chrono::steady_clock::now();
  Result<OutboxRead> read;
  std::jthread reader([&] {
    const Watermark watermark{coupon.id, 0};
    read = outbox().read({&watermark, 1}, 10, wait);
  });
  std::this_thread::sleep_for(100ms);
  claim_one(coupon, "a");
  reader.join();
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->entries.size(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, wait);
}

TEST_P(OutboxContract, PersistedEntriesLeaveTheOutboxAndPartlyPersistedOnesStay) {
  const GateConfig coupon = installed(make_config(10));
  claim_one(coupon, "a");
  ASSERT_TRUE(twin_->claim(batch_of(coupon, {"b", "c", "d"})));
  persisted(coupon, 3);
  auto entries = read(coupon, 0);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].first_sequence, 2);
  persisted(coupon, 4);
  EXPECT_TRUE(read(coupon, 0).empty());
  EXPECT_EQ(claim_one(coupon, "e").sequence, 5) << "an empty outbox goes on counting";
  EXPECT_EQ(read(coupon, 0).at(0).first_sequence, 5);
}

TEST_P(OutboxContract, WatermarksOnlyRise) {
  const GateConfig one = installed(make_config(10));
  const GateConfig two = installed(make_config(10));
  for (const GateConfig& coupon : {one, two}) ASSERT_TRUE(twin_->claim(batch_of(coupon, {"a", "b", "c"})));
  const Names ids = {one.id, two.id, unique_id("none")};
  const auto all_good = [](const PerCoupon<void>& answers) {
    return std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); });
  };
  using Watermarks = std::vector<Watermark>;
  EXPECT_TRUE(all_good(
      outbox().raise_published(Watermarks{{one.id, 3, one.epoch}, {two.id, 2, two.epoch}, {ids[2], 9, 1}})));
  EXPECT_TRUE(all_good(outbox().raise_published(Watermarks{{one.id, 1, one.epoch}})));
  EXPECT_TRUE(all_good(outbox().raise_persisted(Watermarks{{one.id, 2, one.epoch}, {ids[2], 9, 1}})));
  EXPECT_TRUE(all_good(outbox().raise_persisted(Watermarks{{one.id, 1, one.epoch}})));

  const auto progress = outbox().progress(ids);
  ASSERT_EQ(progress.size(), 3u);
  EXPECT_EQ(progress.at(0)->published, 3);
  EXPECT_EQ(progress.at(0)->persisted, 2);
  EXPECT_EQ(progress.at(1)->published, 2);
  EXPECT_EQ(progress.at(1)->persisted, 0);
  EXPECT_EQ(progress.at(2)->published, 0) << "a watermark makes no state";
  EXPECT_EQ(progress.at(2)->persisted, 0);
  EXPECT_EQ(control().state(ids[2]).error().code, Errc::gate_missing);
  EXPECT_EQ(control().state(one.id)->published, 3);
  EXPECT_EQ(control().state(one.id)->persisted, 2);
}

TEST_P(OutboxContract, ALeaseIsExclusiveAndItsOwnerRenewsIt) {
  const Names ids = {unique_id("a"), unique_id("b")};
  EXPECT_EQ(leased(ids, "one", 60s), ids);
  EXPECT_EQ(leased(ids, "one", 60s), ids);
  EXPECT_TRUE(leased(ids, "two", 60s).empty());

  ASSERT_TRUE(outbox().release(std::span(ids).first(1), "two").front());
  EXPECT_TRUE(leased(ids, "two", 60s).empty()) << "only the owner can give it up";
  ASSERT_TRUE(outbox().release(std::span(ids).first(1), "one").front());
  EXPECT_EQ(leased(ids, "two", 60s), Names({ids[0]}));
}

TEST_P(OutboxContract, ALeaseExpires) {
  const Names ids = {unique_id("a")};
  ASSERT_EQ(leased(ids, "one", 50ms), ids);
  EXPECT_TRUE(eventually([&] { return leased(ids, "two", 60s) == ids; }));
  EXPECT_TRUE(leased(ids, "one", 60s).empty());
}

TEST_P(OutboxContract, ALeaseOfAnotherLastsNoLongerThanWhatIsAskedFor) {
  const Names ids = {unique_id("a")};
  ASSERT_EQ(leased(ids, "one", 2h), ids)
      << "as it seems when it was given while the server's clock was ahead";
  EXPECT_TRUE(leased(ids, "two", 100ms).empty());
  EXPECT_TRUE(eventually([&] { return leased(ids, "two", 60s) == ids; }));
}

TEST_P(OutboxContract, AClaimLeavesAHintUntilItIsSettled) {
  const GateConfig one = installed(make_config(10));
  const GateConfig two = installed(make_config(10));
  EXPECT_FALSE(hint_of(one));
  claim_one(one, "a");
  std::this_thread::sleep_for(2ms);
  ASSERT_TRUE(control().claim_now(batch_of(two, {"a"})));
  const auto hint = hint_of(one);
  ASSERT_TRUE(hint);
  ASSERT_TRUE(hint_of(two));
  // Other tests claim on the same server.
  const auto active = outbox().active(1'000).value();
  const auto place = [&](const GateConfig& coupon) {
    return std::ranges::find(active, coupon.id, &ActiveCoupon::coupon_id) - active.begin();
  };
  EXPECT_LT(place(two), place(one)) << "the latest first";
  EXPECT_EQ(outbox().active(1)->size(), 1U);
  EXPECT_TRUE(outbox().active(0)->empty());

  ASSERT_TRUE(outbox().settle_active(one.id, hint->last_hint - 1ms));
  EXPECT_TRUE(hint_of(one)) << "another hint than the one that was seen";
  ASSERT_TRUE(outbox().settle_active(one.id, hint->last_hint));
  EXPECT_FALSE(hint_of(one));
  ASSERT_TRUE(outbox().settle_active(one.id, hint->last_hint));
  EXPECT_TRUE(hint_of(two));
  EXPECT_TRUE(eventually([&] { return claim_one(one, "b").sequence == 2 && hint_of(one); }));
}

TEST_P(OutboxContract, AHintIsNotLeftWithEveryClaim) {
  const GateConfig coupon = installed(make_config(10));
  claim_one(coupon, "a");
  const auto first = hint_of(coupon);
  ASSERT_TRUE(first);
  claim_one(coupon, "b");
  const auto second = hint_of(coupon);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second == first || second->last_hint - first->last_hint >= active_hint_period - 1ms);
}

TEST_P(OutboxContract, AnEntryThatIsGoneIsMissedWhenItsTurnHasCome) {
  const GateConfig coupon = installed(make_config(20));
  const auto progress = [&] { return outbox().progress({&coupon.id, 1}).front(); };
  ASSERT_TRUE(twin_->claim(batch_of(coupon, {"a", "b", "c"})));
  for (const char* user : {"d", "e", "f"}) claim_one(coupon, user);
  persisted(coupon, 2);
  EXPECT_TRUE(progress()) << "an entry that is saved in part";
  twin_->delete_entry(coupon.id, 5);
  EXPECT_TRUE(progress());
  persisted(coupon, 4);
  ASSERT_FALSE(progress());
  EXPECT_EQ(progress().error().code, Errc::gate_behind);
  twin_->delete_entry(coupon.id, 6);
  EXPECT_EQ(progress().error().code, Errc::gate_behind) << "it is empty, and something waits";
  persisted(coupon, 6);
  EXPECT_TRUE(progress());
}

TEST_P(OutboxContract, WhatARecoveryWroteHasGapsAndWhatComesAfterHasNone) {
  GateConfig coupon = installed(make_config(20));
  const auto progress = [&] { return outbox().progress({&coupon.id, 1}).front(); };
  claim_one(coupon, "a");
  ASSERT_TRUE(begin(coupon, "t"));
  const std::vector<OutboxEntry> entries = {{coupon.id, 2, 3, coupon.created_at, {"b"}},
                                            {coupon.id, 2, 7, coupon.created_at, {"c"}}};
  ASSERT_TRUE(recovery().put_outbox(coupon.id, "t", entries, true));
  coupon.epoch = 2;
  ASSERT_TRUE(recovery().open(coupon, "t", {9, 2, 7}));
  ASSERT_TRUE(progress());
  EXPECT_EQ(progress()->rebuilt, 9);
  persisted(coupon, 3);
  EXPECT_TRUE(progress());
  for (const char* user : {"d", "e"}) claim_one(coupon, user);
  persisted(coupon, 7);
  EXPECT_TRUE(progress());
  twin_->delete_entry(coupon.id, 10);
  EXPECT_EQ(progress().error().code, Errc::gate_behind);
}

}  // namespace
}  // namespace seonchak
