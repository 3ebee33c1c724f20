#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "events/kafka/partition.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_member.hpp"

namespace seonchak {
namespace {

using Reach = EventConsumer::Reach;
using Positions = std::map<std::int32_t, std::int64_t>;

/// What is asked is remembered for a second.
bool comes_to(Member& member, Positions& position, const std::function<bool()>& expected) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!expected()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    member.step(position);
  }
  return true;
}

TEST(KafkaReading, IsAtItsEndOnceEverythingIsPolled) {
  const KafkaOptions options = fresh_kafka();
  Positions position;
  Member member(options);
  EXPECT_EQ(member.consumer->reach("c"), Reach::unknown) << "nothing is assigned yet";
  const auto at_end = [&] { return member.consumer->reach("c") == Reach::to_end; };
  EXPECT_TRUE(comes_to(member, position, at_end)) << "an empty partition";
  write_raw(options, "c", "v");
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  EXPECT_EQ(member.consumer->reach("c"), Reach::unknown);
  EXPECT_TRUE(comes_to(member, position, at_end));
  EXPECT_EQ(member.records.size(), 1U);
  EXPECT_TRUE(member.consumer->held_back().empty());
}

TEST(KafkaReading, IsForTheOwnerOfThePartitionAlone) {
  const KafkaOptions options = fresh_kafka();
  Positions position;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  Member first(options);
  while (first.owned.empty() && std::chrono::steady_clock::now() < deadline) first.step(position);
  Member second(options);
  while (first.reassignments + second.reassignments < 4 && std::chrono::steady_clock::now() < deadline) {
    first.step(position);
    second.step(position);
  }
  Member& owner = first.owned.empty() ? second : first;
  Member& other = first.owned.empty() ? first : second;
  EXPECT_TRUE(comes_to(owner, position, [&] { return owner.consumer->reach("c") == Reach::to_end; }));
  EXPECT_EQ(other.consumer->reach("c"), Reach::unknown);
}

// As soon as the number is known: events written before partitions were added may be in any.
TEST(KafkaReading, NeedsAllPartitionsAtFirst) {
  const KafkaOptions options = fresh_kafka(2);
  Positions position;
  Member member(options);
  EXPECT_TRUE(comes_to(member, position, [&] { return member.consumer->reach("c") == Reach::to_end; }));
  write_raw(options, "k", "v", kafka::partition_of("c", 2) == 0 ? 1 : 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  EXPECT_EQ(member.consumer->reach("c"), Reach::unknown);
}

TEST(KafkaReading, SaysWhatAnOpenTransactionHoldsBack) {
  const KafkaOptions options = fresh_kafka();
  const auto target = kafka::parse_url(options.url);
  Positions position;
  Member member(options);
  write_raw(options, "c", "before");
  const auto stranger =
      kafka::make_client(kafka::Role::producer, options, target, {{"transactional.id", unique_name("shop")}});
  ASSERT_EQ(rd_kafka_init_transactions(stranger.get(), 30'000), nullptr);
  ASSERT_EQ(rd_kafka_begin_transaction(stranger.get()), nullptr);
  rd_kafka_producev(stranger.get(), RD_KAFKA_V_TOPIC(target.topic.c_str()), RD_KAFKA_V_KEY("c", 1),
                    RD_KAFKA_V_VALUE(const_cast<char*>("open"), 4), RD_KAFKA_V_END);
  ASSERT_EQ(rd_kafka_flush(stranger.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  write_raw(options, "c", "behind");
  EXPECT_TRUE(comes_to(member, position, [&] { return !member.consumer->held_back().empty(); }));
  EXPECT_EQ(member.consumer->held_back(), (std::vector<LogPosition>{{0, 1}}));
  // A broker that takes over a second to answer makes it unknown for a while.
  EXPECT_TRUE(comes_to(member, position, [&] { return member.consumer->reach("c") == Reach::held_back; }));
  EXPECT_EQ(member.records.size(), 1U);
  ASSERT_EQ(rd_kafka_abort_transaction(stranger.get(), 30'000), nullptr);
  const auto well = [&] {
    return member.consumer->held_back().empty() && member.consumer->reach("c") == Reach::to_end;
  };
  // What was aborted is skipped, which Member takes for an offset that is missing.
  position[0] = 2;
  EXPECT_TRUE(comes_to(member, position, well));
  EXPECT_EQ(member.records.size(), 2U);
}

TEST(KafkaReading, APartitionIsThatOfThePublisher) {
  const KafkaOptions options = fresh_kafka(4);
  Positions position;
  Member member(options);
  std::vector<IssuedEvent> events;
  for (int i = 0; i < 20; ++i) events.push_back({"coupon" + std::to_string(i), "user", 1, now(), 1});
  publish(options, events);
  ASSERT_TRUE(comes_to(member, position, [&] { return member.records.size() == events.size(); }));
  for (const LogRecord& record : member.records)
    EXPECT_EQ(kafka::partition_of(std::get<IssuedEvent>(record.message).coupon_id, 4), record.partition);
}

}  // namespace
}  // namespace seonchak
