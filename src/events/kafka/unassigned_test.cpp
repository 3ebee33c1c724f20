#include "events/kafka/unassigned.hpp"

#include <chrono>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "core/testing/ticker.hpp"
#include "events/kafka/group_description.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_member.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

/// Looks some times, while `serve` keeps a member in the group for a moment before each.
template <class Serve>
int looks_until_found(const KafkaOptions& options, const Serve& serve) {
  constexpr int looks_max = 5;
  HandTime time;
  const auto target = kafka::parse_url(options.url);
  const auto client = kafka::make_client(kafka::Role::consumer, options, target, {});
  kafka::LogRanges ranges(options, target);
  kafka::Unassigned unassigned(options, target, ranges);
  for (int looks = 1; looks <= looks_max; ++looks) {
    serve();
    time.passed += 5s;
    if (unassigned.found(client.get())) return looks;
  }
  return 0;
}

TEST(KafkaUnassigned, ATopicThatNoMemberOfAGroupAtRestHasIsFound) {
  const KafkaOptions options = fresh_kafka(2);
  const KafkaOptions elsewhere = fresh_kafka();
  const auto other_topic = kafka::parse_url(elsewhere.url);
  const auto stranger = kafka::make_client(kafka::Role::consumer, options, other_topic,
                                           {{"group.id", options.group}, {"session.timeout.ms", "6000"}});
  rd_kafka_poll_set_consumer(stranger.get());
  const kafka::PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), other_topic.topic.c_str(), RD_KAFKA_PARTITION_UA);
  ASSERT_EQ(rd_kafka_subscribe(stranger.get(), topics.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  const auto serve = [&] { kafka::MessagePtr(rd_kafka_consumer_poll(stranger.get(), 2'000)); };
  EXPECT_GE(looks_until_found(options, serve), 2) << "at two looks in a row";
  kafka::close_consumer(stranger.get(), 5s);
}

TEST(KafkaUnassigned, WhatTheMembersHaveIsNot) {
  const KafkaOptions options = fresh_kafka(2);
  std::map<std::int32_t, std::int64_t> position;
  Member first(options);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (first.owned.size() < 2 && std::chrono::steady_clock::now() < deadline) first.step(position);
  EXPECT_EQ(looks_until_found(options, [&] { first.step(position); }), 0);
  const auto target = kafka::parse_url(options.url);
  const auto client = kafka::make_client(kafka::Role::consumer, options, target, {});
  const auto group = kafka::describe_group(client.get(), options.group, target.topic, 5s);
  ASSERT_TRUE(group) << group.error().message;
  EXPECT_TRUE(group->at_rest);
  EXPECT_EQ(group->assigned, (std::set<std::int32_t>{0, 1}));
}

}  // namespace
}  // namespace seonchak
