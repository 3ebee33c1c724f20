#include "core/audit/audit.hpp"

#include <deque>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

constexpr int issued_count = 5;

/// A coupon with five holders u1 to u5: three saved, five published, two waiting. Nothing is wrong with it.
struct Sound {
  CouponFacts facts;
  std::deque<IssuedEvent> events;  // stays where it is

  Sound() {
    facts.coupon.id = "c";
    facts.coupon.stock = 10;
    facts.coupon.epoch = 1;
    facts.coupon.settled = 1;
    GateState state;
    state.stock = 10;
    state.sequence = state.published = issued_count;
    state.issued = issued_count;
    state.epoch = 1;
    state.persisted = 3;
    facts.before = state;
    facts.after = facts.before;
    for (int i = 1; i <= issued_count; ++i) facts.holders.push_back(holder(i));
    for (int i = 1; i <= 3; ++i) facts.rows.push_back(holder(i));
    facts.outbox.push_back({"c", 1, 4, {}, {"u4", "u5"}});
    for (int i = 1; i <= issued_count; ++i) log("u" + std::to_string(i), i);
    facts.unread = {facts.events[3], facts.events[4]};
  }

  static Holder holder(Sequence sequence) { return {"u" + to_string(sequence), sequence, {}}; }

  void log(const std::string& user, Sequence sequence, Epoch epoch = 1) {
    events.push_back({"c", user, sequence, {}, epoch});
    facts.events.push_back(&events.back());
  }

  void issue_while_read(std::int64_t count) { facts.after->sequence += count; }

  void recovered() {
    facts.coupon.epoch = facts.coupon.settled = facts.before->epoch = facts.after->epoch = 2;
  }

  /// "kind sequence user"
  std::vector<std::string> breaches() const {
    std::vector<std::string> found;
    for (const Breach& breach : audit(facts).breaches) {
      EXPECT_EQ(breach.coupon_id, "c");
      EXPECT_FALSE(breach.detail.empty());
      std::string text(to_string(breach.kind));
      if (breach.sequence != 0) text += ' ' + to_string(breach.sequence);
      if (!breach.user_id.empty()) text += ' ' + breach.user_id;
      found.push_back(std::move(text));
    }
    return found;
  }
};

using Texts = std::vector<std::string>;

TEST(Audit, ASoundCouponIsClean) {
  const Sound sound;
  const CouponAudit found = audit(sound.facts);
  EXPECT_EQ(sound.breaches(), Texts());
  EXPECT_EQ(found.breach_count, 0);
  EXPECT_TRUE(found.notes.empty());
  EXPECT_EQ(found.held, 5);
  EXPECT_EQ(found.saved, 3);
  EXPECT_EQ(found.waiting, 2);
  EXPECT_EQ(found.logged, 5);
}

TEST(Audit, MoreHoldersThanStock) {
  Sound sound;
  sound.facts.coupon.stock = 4;
  sound.facts.before->stock = sound.facts.after->stock = 4;
  EXPECT_EQ(sound.breaches(), Texts{"holders_above_stock"});
}

TEST(Audit, MoreRowsThanStock) {
  Sound sound;
  sound.facts.gate_read = false;
  sound.facts.coupon.stock = 2;
  EXPECT_EQ(sound.breaches(), Texts{"rows_above_stock"});
}

TEST(Audit, AGateThatWouldIssueMoreThanTheStoreAllows) {
  Sound sound;
  sound.facts.after->stock = 11;
  EXPECT_EQ(sound.breaches(), Texts{"gate_stock_above_store"});
}

TEST(Audit, WatermarksBeyondWhatWasIssued) {
  Sound sound;
  sound.facts.after->published = 6;
  EXPECT_EQ(sound.breaches(), Texts{"published_above_sequence"});
  sound.facts.after->persisted = 6;
  EXPECT_EQ(sound.breaches(), (Texts{"published_above_sequence", "persisted_above_sequence"}));
}

TEST(Audit, AConsumerAheadOfTheRelaysMarkIsOnlyNoted) {
  Sound sound;
  sound.facts.after->published = 2;
  EXPECT_EQ(sound.breaches(), Texts());
  EXPECT_EQ(audit(sound.facts).notes.size(), 1U);
}

TEST(Audit, ARowThatWasDeletedIsALostHolder) {
  Sound sound;
  sound.facts.rows.erase(sound.facts.rows.begin());
  EXPECT_EQ(sound.breaches(), Texts{"lost 1 u1"});
}

TEST(Audit, AnOutboxTrimmedBeforeTheRowWasThereLeavesTheLogAlone) {
  Sound sound;
  sound.facts.outbox.clear();
  EXPECT_EQ(sound.breaches(), (Texts{"trimmed_early 4 u4", "trimmed_early 5 u5"}));
  sound.facts.unread.clear();
  EXPECT_EQ(sound.breaches(), (Texts{"lost 4 u4", "lost 5 u5"}));
}

TEST(Audit, AMarkBeyondTheRows) {
  Sound sound;
  sound.facts.before->persisted = sound.facts.after->persisted = 4;
  EXPECT_EQ(sound.breaches(), Texts{"marked_not_saved 4 u4"});
}

TEST(Audit, ARowTheGateNeverIssued) {
  Sound sound;
  sound.facts.rows.push_back({"stranger", 9, {}});
  EXPECT_EQ(sound.breaches(), Texts{"row_not_held 9 stranger"});
}

TEST(Audit, ARowWithAnotherSequence) {
  Sound sound;
  sound.facts.rows[0].sequence = 9;
  EXPECT_EQ(sound.breaches(), Texts{"row_sequence_differs 9 u1"});
}

TEST(Audit, RowsThatShareASequenceOrAUser) {
  Sound sound;
  sound.facts.rows[1].sequence = 1;
  EXPECT_EQ(sound.breaches(), (Texts{"sequence_twice_in_store 1 u2", "row_sequence_differs 1 u2"}));
  sound.facts.rows[1] = {"u1", 2, {}};
  EXPECT_EQ(sound.breaches(), (Texts{"user_twice_in_store 2 u1", "row_sequence_differs 2 u1", "lost 2 u2"}));
}

TEST(Audit, AHolderThatWasRemovedLeavesAGapARowAndAnEvent) {
  Sound sound;
  sound.facts.holders.erase(sound.facts.holders.begin() + 1);
  EXPECT_EQ(sound.breaches(), (Texts{"sequence_gap 2", "row_not_held 2 u2", "event_not_held 2 u2"}));
}

TEST(Audit, AfterARecoveryTheGateMayHaveGaps) {
  Sound sound;
  sound.recovered();
  sound.facts.before->sequence = sound.facts.after->sequence = 9;
  EXPECT_EQ(sound.breaches(), Texts());
}

TEST(Audit, TwoHoldersOfOneSequence) {
  Sound sound;
  sound.facts.holders.push_back({"z", 3, {}});
  EXPECT_EQ(sound.breaches(), (Texts{"sequence_twice_in_gate 3 z", "lost 3 z"}));
}

TEST(Audit, AHolderBeyondTheGatesSequence) {
  Sound sound;
  sound.facts.holders.push_back({"z", 6, {}});
  EXPECT_EQ(sound.breaches(), (Texts{"holder_above_sequence 6 z", "lost 6 z"}));
}

TEST(Audit, AnOutboxWithWhatWasNeverIssued) {
  Sound sound;
  sound.facts.outbox.push_back({"c", 1, 6, {}, {"z"}});
  sound.facts.outbox.push_back({"c", 1, 7, {}, {"u1"}});
  EXPECT_EQ(sound.breaches(), (Texts{"outbox_not_held 6 z", "outbox_not_held 7 u1"}));
}

TEST(Audit, AnEventThatWasNeverIssued) {
  Sound sound;
  sound.log("z", 6);
  sound.log("z", 6);
  EXPECT_EQ(sound.breaches(), Texts{"event_not_held 6 z"});
}

TEST(Audit, AnEventWithAnotherSequenceThanTheGates) {
  Sound sound;
  sound.log("u2", 6);
  EXPECT_EQ(sound.breaches(), (Texts{"event_sequence_differs 6 u2", "event_user_twice 6 u2"}));
}

TEST(Audit, OneSequenceLoggedForTwoUsers) {
  Sound sound;
  sound.log("z", 5);
  EXPECT_EQ(sound.breaches(), (Texts{"event_not_held 5 z", "event_sequence_twice 5 z"}));
}

TEST(Audit, ANewSequenceBehindAHigherOne) {
  Sound sound;
  std::swap(sound.facts.events[2], sound.facts.events[3]);
  EXPECT_EQ(sound.breaches(), Texts{"event_out_of_order 3 u3"});
}

TEST(Audit, ARelayThatBeginsAgainRepeatsWhatIsLogged) {
  Sound sound;
  for (int i = 2; i <= issued_count; ++i) sound.log("u" + std::to_string(i), i);
  EXPECT_EQ(sound.breaches(), Texts());
}

TEST(Audit, ARepeatOfWhatTheLogHasDroppedIsNoDisorder) {
  Sound sound;
  sound.facts.events.erase(sound.facts.events.begin(), sound.facts.events.begin() + 2);
  sound.log("u2", 2);
  EXPECT_EQ(sound.breaches(), Texts());
}

TEST(Audit, EventsOfAnEndedEpochAreOnlyNoted) {
  Sound sound;
  sound.recovered();
  sound.log("of-the-old-master", 5);
  EXPECT_EQ(sound.breaches(), Texts());
  EXPECT_EQ(audit(sound.facts).notes.size(), 2U);
}

TEST(Audit, WhatIsIssuedDuringTheReadingIsNotABreach) {
  Sound sound;
  sound.issue_while_read(2);
  sound.facts.rows.push_back({"u6", 6, {}});
  sound.facts.outbox.push_back({"c", 1, 7, {}, {"u7"}});
  EXPECT_EQ(sound.breaches(), Texts());
  EXPECT_EQ(audit(sound.facts).moving, 2);
  sound.facts.rows.push_back({"u8", 8, {}});
  EXPECT_EQ(sound.breaches(), Texts{"row_not_held 8 u8"});
}

TEST(Audit, AnOpenCouponTheGateHasForgotten) {
  Sound sound;
  sound.facts.before.reset();
  sound.facts.after.reset();
  sound.facts.holders.clear();
  EXPECT_EQ(sound.breaches(), Texts{"gate_missing"});
}

TEST(Audit, AClosedCouponWhoseKeysAreGoneIsNoted) {
  Sound sound;
  sound.facts.before.reset();
  sound.facts.after.reset();
  sound.facts.holders.clear();
  sound.facts.coupon.closed = true;
  EXPECT_EQ(sound.breaches(), Texts());
  EXPECT_EQ(audit(sound.facts).notes.size(), 1U);
}

TEST(Audit, RowsOfACouponThatNeverOpened) {
  Sound sound;
  sound.facts.coupon.epoch = sound.facts.coupon.settled = 0;
  sound.facts.before.reset();
  sound.facts.after.reset();
  sound.facts.events.clear();
  sound.facts.rows = {{"z", 1, {}}};
  EXPECT_EQ(sound.breaches(), Texts{"row_not_held 1 z"});
}

TEST(Audit, KeepsAThousandBreachesAndCountsTheRest) {
  Sound sound;
  for (int i = 0; i < 1'500; ++i) sound.facts.rows.push_back({"z" + std::to_string(i), 100 + i, {}});
  const CouponAudit found = audit(sound.facts);
  EXPECT_EQ(found.breaches.size(), breaches_kept_max);
  EXPECT_EQ(found.breach_count, 1'501) << "the rows are above the stock as well";
}

TEST(Audit, EveryKindHasANameAndAMeaning) {
  for (int kind = 0; kind <= static_cast<int>(BreachKind::event_sequence_twice); ++kind) {
    EXPECT_NE(to_string(static_cast<BreachKind>(kind)), "unknown") << kind;
    EXPECT_NE(explain(static_cast<BreachKind>(kind)), "") << kind;
  }
}

}  // namespace
}  // namespace seonchak
