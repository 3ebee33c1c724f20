#include <chrono>

#include <gtest/gtest.h>

#include "events/kafka/admin.hpp"
#include "events/kafka/kafka.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_topics.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto patience = 60s;

std::vector<IssuedEvent> one_event(int number) {
  return {{"1", "u" + std::to_string(number), number, from_millis(1), 3}};
}

TEST(KafkaTopics, AreCreatedWithTheBrokersReplication) {
  const KafkaOptions options = fresh_kafka(2);
  ASSERT_EQ(options.replication, -1);
  const auto target = kafka::parse_url(options.url);
  const auto client = kafka::make_client(kafka::Role::consumer, options, target, {});
  for (const std::string& topic : {target.topic, target.dead_letter_topic()}) {
    const auto copies = kafka::copies_of(client.get(), topic, 5s).value();
    EXPECT_EQ(copies.brokers, 1);
    EXPECT_EQ(copies.replicas, 1);
  }
}

TEST(KafkaTopics, NewPartitionsAreReadSoon) {
  const KafkaOptions options = fresh_kafka(1);
  const auto consumer = make_kafka_consumer(options);
  std::vector<std::int32_t> owned;
  const auto read_until = [&](std::size_t partitions, SteadyClock::time_point deadline) {
    while (owned.size() < partitions && SteadyClock::now() < deadline) {
      const auto polled = consumer->poll(10, 50ms);
      ASSERT_TRUE(polled);
      if (!polled->reassigned) continue;
      owned = polled->partitions;
      ASSERT_TRUE(consumer->start_at({}));
    }
  };
  read_until(1, SteadyClock::now() + patience);
  ASSERT_EQ(owned.size(), 1U);
  Topics(options).widen(3);
  read_until(3, SteadyClock::now() + 30s);
  EXPECT_EQ(owned.size(), 3U) << "unread for as long as the metadata is old";
}

TEST(KafkaTopics, ATopicDeletedUnderAPublisherComesBackAsItIsConfigured) {
  const KafkaOptions options = fresh_kafka(3);
  const std::string topic = kafka::parse_url(options.url).topic;
  const auto publisher = make_kafka_publisher(options);
  ASSERT_EQ(publisher->publish(one_event(1)), 1U);
  const auto deadline = SteadyClock::now() + patience;
  while (publisher->in_flight() > 0 && SteadyClock::now() < deadline) publisher->poll(20ms);
  Topics topics(options);
  topics.remove(topic);
  bool confirmed = false;
  while (!confirmed && SteadyClock::now() < deadline) {
    if (publisher->in_flight() == 0) publisher->publish(one_event(2));
    (void)publisher->check();
    confirmed = !publisher->poll(100ms).confirmed.empty();
  }
  EXPECT_TRUE(confirmed);
  EXPECT_EQ(topics.partitions(topic), 3);
}

TEST(KafkaTopics, ADeadLetterTopicThatWasDeletedComesBack) {
  const KafkaOptions options = fresh_kafka(3);
  const std::string letters = kafka::parse_url(options.url).dead_letter_topic();
  publish(options, one_event(1));
  const auto consumer = make_kafka_consumer(options);
  Topics topics(options);
  topics.remove(letters);
  const auto deadline = SteadyClock::now() + patience;
  bool written = false;
  while (!written && SteadyClock::now() < deadline) {
    const auto polled = consumer->poll(10, 50ms);
    ASSERT_TRUE(polled);
    if (polled->reassigned) {
      ASSERT_TRUE(consumer->start_at({}));
    }
    if (polled->records.empty()) continue;
    while (!written && SteadyClock::now() < deadline)
      written = dead_letter(*consumer, polled->records.front(), "x").has_value();
  }
  EXPECT_TRUE(written);
  EXPECT_EQ(topics.partitions(letters), 3);
}

}  // namespace
}  // namespace seonchak
