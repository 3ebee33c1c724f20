#include <chrono>
#include <thread>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"
#include "events/kafka/log_ranges.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int partitions = 16;
constexpr auto patience = 60s;

/// Two brokers of librdkafka's own in this process, each of which leads every other partition. The second one
/// answers too late.
class KafkaSilentBroker : public testing::Test {
 protected:
  KafkaSilentBroker()
      : owner_(kafka::make_client(kafka::Role::producer, {}, kafka::parse_url("kafka://127.0.0.1:1"), {})),
        cluster_(rd_kafka_mock_cluster_new(owner_.get(), 2)) {
    rd_kafka_mock_topic_create(cluster_, "topic", partitions, 1);
    for (int partition = 0; partition < partitions; ++partition)
      rd_kafka_mock_partition_set_leader(cluster_, "topic", partition, leader(partition));
    options_.url = "kafka://" + std::string(rd_kafka_mock_cluster_bootstraps(cluster_)) + "/topic";
    options_.close_wait_ms = 500;
    rd_kafka_mock_coordinator_set(cluster_, "group", options_.group.c_str(), 1);
    rd_kafka_mock_broker_set_rtt(cluster_, 2, 60'000);
  }
  ~KafkaSilentBroker() override { rd_kafka_mock_cluster_destroy(cluster_); }

  static int leader(int partition) { return partition % 2 == 0 ? 1 : 2; }

  /// One that owns all partitions and has not started.
  std::unique_ptr<EventConsumer> consumer() {
    auto made = make_kafka_consumer(options_);
    const auto deadline = SteadyClock::now() + patience;
    while (SteadyClock::now() < deadline) {
      const auto polled = made->poll(10, 50ms);
      EXPECT_TRUE(polled);
      if (polled && polled->reassigned && polled->partitions.size() == partitions) return made;
    }
    ADD_FAILURE() << "the partitions were not assigned";
    return made;
  }

  void start(EventConsumer& consumer) {
    std::vector<LogPosition> positions;
    for (int partition = 0; partition < partitions; ++partition) positions.push_back({partition, 0, {}});
    ASSERT_TRUE(consumer.start_at(positions));
  }

  kafka::Client owner_;
  rd_kafka_mock_cluster_t* cluster_;
  KafkaOptions options_;
};

TEST_F(KafkaSilentBroker, CostsAStartTheTimeOfOneQuestion) {
  const auto reader = consumer();
  const auto began = SteadyClock::now();
  start(*reader);
  EXPECT_LT(SteadyClock::now() - began, 4s);
}

TEST_F(KafkaSilentBroker, CostsTheNextStartLess) {
  const auto reader = consumer();
  start(*reader);
  const auto began = SteadyClock::now();
  start(*reader);
  EXPECT_LT(SteadyClock::now() - began, 3s);  // who leads the partitions is asked all the same
}

/// A client that has just been made may know no broker that answers.
void learn_leaders(kafka::LogRanges& ranges, rd_kafka_s* client) {
  const auto deadline = SteadyClock::now() + patience;
  while (!ranges.partitions(client)) ASSERT_LT(SteadyClock::now(), deadline);
}

/// Asks for each partition, as a running consumer does one after the other.
void expect_those_of_the_first(kafka::LogRanges& ranges, rd_kafka_s* client) {
  for (int partition = 0; partition < partitions; ++partition)
    EXPECT_EQ(ranges.ask(client, partition).has_value(), partition % 2 == 0) << partition;
}

TEST_F(KafkaSilentBroker, TakesTheTimeOfOneQuestionForAllItsPartitions) {
  const auto target = kafka::parse_url(options_.url);
  const auto client = kafka::make_client(kafka::Role::consumer, options_, target, {});
  kafka::LogRanges ranges(options_, target);
  learn_leaders(ranges, client.get());
  const auto began = SteadyClock::now();
  expect_those_of_the_first(ranges, client.get());
  EXPECT_LT(SteadyClock::now() - began, 2s);
}

TEST_F(KafkaSilentBroker, TakesLittleMoreWhenItsPartitionsAreNotKnownToBeIts) {
  const auto target = kafka::parse_url(options_.url);
  const auto client = kafka::make_client(kafka::Role::consumer, options_, target, {});
  kafka::LogRanges ranges(options_, target);
  const auto began = SteadyClock::now();
  expect_those_of_the_first(ranges, client.get());
  EXPECT_LT(SteadyClock::now() - began, 4s);  // 1 s, 1/2 s, and so on
}

TEST_F(KafkaSilentBroker, IsAskedAgain) {
  const auto target = kafka::parse_url(options_.url);
  const auto client = kafka::make_client(kafka::Role::consumer, options_, target, {});
  kafka::LogRanges ranges(options_, target);
  learn_leaders(ranges, client.get());
  EXPECT_FALSE(ranges.ask(client.get(), 1));
  rd_kafka_mock_broker_set_rtt(cluster_, 2, 0);
  const auto deadline = SteadyClock::now() + patience;
  while (!ranges.ask(client.get(), 3) && SteadyClock::now() < deadline) std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(ranges.ask(client.get(), 1));
}

}  // namespace
}  // namespace seonchak
