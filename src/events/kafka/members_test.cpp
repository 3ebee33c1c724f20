#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "events/testing/kafka.hpp"
#include "events/testing/kafka_member.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

TEST(KafkaMembers, TwoMembersShareThePartitionsAndTheOneThatLeavesHandsOver) {
  constexpr int partitions = 4;
  const KafkaOptions options = fresh_kafka(partitions);
  std::map<std::int32_t, std::int64_t> position;
  const auto deadline = SteadyClock::now() + patience;

  Member first(options);
  while (first.owned.size() < 4 && SteadyClock::now() < deadline) first.step(position);
  auto second = std::make_unique<Member>(options);
  while (!(first.owned.size() == 2 && second->owned.size() == 2) && SteadyClock::now() < deadline) {
    first.step(position);
    second->step(position);
  }
  ASSERT_EQ(first.owned.size(), 2u);
  ASSERT_EQ(second->owned.size(), 2u);
  for (const std::int32_t partition : second->owned) EXPECT_FALSE(first.owned.contains(partition));

  for (int partition = 0; partition < partitions; ++partition) write_raw(options, "k", "before", partition);
  while (first.records.size() + second->records.size() < 4 && SteadyClock::now() < deadline) {
    first.step(position);
    second->step(position);
  }
  EXPECT_EQ(second->records.size(), 2u);

  second.reset();
  // Far less than the session timeout of 45 s: the member said good-bye.
  const auto handed_over = SteadyClock::now() + 30s;
  while (first.owned.size() < 4 && SteadyClock::now() < handed_over) first.step(position);
  EXPECT_EQ(first.owned.size(), 4u);
  for (int partition = 0; partition < partitions; ++partition) write_raw(options, "k", "after", partition);
  while (first.records.size() < 6 && SteadyClock::now() < deadline) first.step(position);
  EXPECT_EQ(first.records.size(), 6u);
}

TEST(KafkaMembers, AMemberThatReadsNothingServesTheGroup) {
  const KafkaOptions options = fresh_kafka(2);
  std::map<std::int32_t, std::int64_t> position;
  const auto deadline = SteadyClock::now() + patience;
  Member first(options);
  while (first.owned.size() < 2 && SteadyClock::now() < deadline) first.step(position);
  for (int partition = 0; partition < 2; ++partition) write_raw(options, "k", "read", partition);
  while (first.records.size() < 2 && SteadyClock::now() < deadline) first.step(position);
  for (int partition = 0; partition < 2; ++partition) write_raw(options, "k", "left", partition);
  for (int i = 0; i < 100; ++i) first.step(position, 0);
  EXPECT_EQ(first.records.size(), 2U);

  Member second(options);
  while (!(first.owned.size() == 1 && second.owned.size() == 1) && SteadyClock::now() < deadline) {
    first.step(position, 0);
    second.step(position, 0);
  }
  ASSERT_EQ(first.owned.size(), 1U);
  ASSERT_EQ(second.owned.size(), 1U);
  EXPECT_EQ(first.records.size() + second.records.size(), 2U);

  while (first.records.size() + second.records.size() < 4 && SteadyClock::now() < deadline) {
    first.step(position);
    second.step(position);
  }
  EXPECT_EQ(first.records.size() + second.records.size(), 4U) << "it goes on where it was";
}

TEST(KafkaMembers, AMemberWithoutAPartitionTakesOver) {
  const KafkaOptions options = fresh_kafka(1);
  std::map<std::int32_t, std::int64_t> position;
  const auto deadline = SteadyClock::now() + patience;
  auto first = std::make_unique<Member>(options);
  while (first->owned.empty() && SteadyClock::now() < deadline) first->step(position);
  auto second = std::make_unique<Member>(options);
  // Until the second is in the group: its own first assignment, of one partition or none.
  while (first->reassignments + second->reassignments < 4 && SteadyClock::now() < deadline) {
    first->step(position);
    second->step(position);
  }
  EXPECT_EQ(first->owned.size() + second->owned.size(), 1u);
  if (second->owned.empty()) std::swap(first, second);
  Member& heir = *first;
  EXPECT_TRUE(heir.owned.empty());
  second.reset();
  while (heir.owned.empty() && SteadyClock::now() < deadline) heir.step(position);
  EXPECT_EQ(heir.owned.size(), 1u);
  write_raw(options, "k", "v");
  while (heir.records.empty() && SteadyClock::now() < deadline) heir.step(position);
  EXPECT_EQ(heir.records.size(), 1u);
}

}  // namespace
}  // namespace seonchak
