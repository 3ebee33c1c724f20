#include "core/recovery/rebuild.hpp"

#include <gtest/gtest.h>

namespace seonchak {
namespace {

using Sequences = std::vector<Sequence>;

Holder holder(const std::string& user, Sequence sequence) {
  return {user, sequence, from_millis(1'795'316'400'000)};
}

std::vector<std::string> texts(const std::vector<Holder>& holders) {
  std::vector<std::string> found;
  for (const Holder& item : holders) found.push_back(item.user_id + to_string(item.sequence));
  return found;
}

TEST(Rebuild, NothingKnownIsAnEmptyGate) {
  const Rebuilt rebuilt = rebuild({.room = 10});
  EXPECT_TRUE(rebuilt.pending.empty());
  EXPECT_EQ(rebuilt.sequence, 0);
  EXPECT_EQ(rebuilt.persisted(), 0);
}

TEST(Rebuild, WhatTheStoreHasNeedsNoOutbox) {
  const Rebuilt rebuilt = rebuild({.taken = {1, 2, 5}, .room = 10});
  EXPECT_TRUE(rebuilt.pending.empty());
  EXPECT_EQ(rebuilt.sequence, 5);
  EXPECT_EQ(rebuilt.persisted(), 5);
}

TEST(Rebuild, CandidatesKeepTheirSequencesAndWaitInOrder) {
  const Rebuilt rebuilt = rebuild(
      {.candidates = {holder("b", 7), holder("a", 6), holder("b", 7)}, .taken = {1, 2, 3}, .room = 10});
  EXPECT_EQ(texts(rebuilt.pending), (std::vector<std::string>{"a6", "b7"}));
  EXPECT_EQ(rebuilt.sequence, 7);
  EXPECT_EQ(rebuilt.persisted(), 5) << "nothing that waits lies at or below it";
}

TEST(Rebuild, APendingSequenceBelowTheStoresIsNotTakenForPersisted) {
  const Rebuilt rebuilt = rebuild({.candidates = {holder("a", 2)}, .taken = {1, 3}, .room = 10});
  EXPECT_EQ(rebuilt.persisted(), 1);
  EXPECT_EQ(rebuilt.sequence, 3);
}

TEST(Rebuild, ASequenceOfSomebodyElseIsReplacedByANewOne) {
  const Rebuilt rebuilt = rebuild({.candidates = {holder("a", 3), holder("b", 4), holder("c", 4)},
                                   .taken = {1, 2, 3},
                                   .last_sequence = 9,
                                   .room = 10});
  EXPECT_EQ(texts(rebuilt.pending), (std::vector<std::string>{"b4", "a10", "c11"}));
  EXPECT_EQ(rebuilt.sequence, 11);
}

TEST(Rebuild, ASequenceWithinWhatTheGateHasKeptIsReplacedByANewOne) {
  const Rebuilt rebuilt =
      rebuild({.candidates = {holder("a", 2), holder("b", 4)}, .intact = 3, .last_sequence = 3, .room = 10});
  EXPECT_EQ(texts(rebuilt.pending), (std::vector<std::string>{"b4", "a5"}));
}

TEST(Rebuild, OfTwoSequencesOfOneUserTheFirstHeardCounts) {
  const Rebuilt rebuilt = rebuild({.waiting = {holder("a", 5)},
                                   .candidates = {holder("a", 8), holder("b", 6), holder("b", 7)},
                                   .room = 10});
  EXPECT_EQ(texts(rebuilt.pending), (std::vector<std::string>{"a5", "b6"}));
  EXPECT_EQ(rebuilt.sequence, 8) << "whoever was told 8 must not meet another with it";
}

TEST(Rebuild, TheStockIsNeverExceeded) {
  const Rebuilt rebuilt =
      rebuild({.waiting = {holder("w", 4)},
               .candidates = {holder("a", 5), holder("x", 4), holder("b", 6), holder("c", 7)},
               .room = 2});
  EXPECT_EQ(texts(rebuilt.pending), (std::vector<std::string>{"w4", "a5", "x8"}))
      << "what waits is within it";
  EXPECT_EQ(texts(rebuilt.dropped), (std::vector<std::string>{"b6", "c7"}));
  EXPECT_EQ(rebuild({.candidates = {holder("a", 1)}, .room = -3}).dropped.size(), 1U);
}

TEST(Rebuild, ClaimsOfTheTrustedEpochComeFirst) {
  const auto ordered = by_credibility(
      {{holder("old", 1), 1}, {holder("b", 3), 2}, {holder("older", 0), 1}, {holder("a", 2), 2}}, 2);
  EXPECT_EQ(texts(ordered), (std::vector<std::string>{"a2", "b3", "older0", "old1"}));
}

TEST(Rebuild, EntriesHoldConsecutiveSequencesOfOneTime) {
  std::vector<Holder> holders = {holder("a", 1), holder("b", 2), holder("c", 4), holder("d", 5),
                                 holder("e", 6)};
  holders.back().issued_at += std::chrono::milliseconds(1);
  const auto entries = entries_of("x", 3, holders, 100);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].users, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(entries[1].first_sequence, 4);
  EXPECT_EQ(entries[1].last_sequence(), 5);
  EXPECT_EQ(entries[2].users, (std::vector<std::string>{"e"}));
  for (const OutboxEntry& entry : entries) EXPECT_EQ(entry.epoch, 3);
  EXPECT_EQ(entries_of("x", 3, holders, 1).size(), 5U);
}

}  // namespace
}  // namespace seonchak
