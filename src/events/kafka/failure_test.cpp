#include <chrono>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "events/kafka/admin.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/dead_letter_box.hpp"
#include "events/kafka/kafka.hpp"
#include "events/testing/kafka.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto patience = 60s;
constexpr std::int16_t produce_request = 0;
constexpr std::int16_t init_producer_id_request = 22;

/// librdkafka's own broker in this process: it fails on command.
class KafkaFailure : public testing::Test {
 protected:
  KafkaFailure()
      : owner_(kafka::make_client(kafka::Role::producer, {}, kafka::parse_url("kafka://127.0.0.1:1"), {})),
        cluster_(rd_kafka_mock_cluster_new(owner_.get(), 1)) {
    rd_kafka_mock_topic_create(cluster_, "topic", 1, 1);
    options_.url = "kafka://" + std::string(rd_kafka_mock_cluster_bootstraps(cluster_)) + "/topic";
    options_.recreate_pause_ms = 50;
    options_.close_wait_ms = 500;
    options_.dead_letter_patience_ms = 10'000;
  }

  /// A consumer of the topic from its beginning, and its first `count` records, of one poll.
  std::pair<std::unique_ptr<EventConsumer>, std::vector<LogRecord>> consume(std::size_t count) {
    auto consumer = make_kafka_consumer(options_);
    const auto deadline = SteadyClock::now() + patience;
    while (SteadyClock::now() < deadline) {
      auto polled = consumer->poll(count, 50ms);
      if (!polled) break;
      if (polled->records.size() >= count) return {std::move(consumer), std::move(polled->records)};
      if (!polled->reassigned && polled->records.empty()) continue;
      EXPECT_TRUE(consumer->start_at({}));
    }
    return {std::move(consumer), std::vector<LogRecord>()};
  }
  ~KafkaFailure() override { rd_kafka_mock_cluster_destroy(cluster_); }

  void fail_next(std::int16_t request, rd_kafka_resp_err_t error) {
    rd_kafka_mock_push_request_errors(cluster_, request, 1, error);
  }

  kafka::Client owner_;
  rd_kafka_mock_cluster_t* cluster_;
  KafkaOptions options_;
};

std::vector<IssuedEvent> events(Sequence first, Sequence last) {
  std::vector<IssuedEvent> made;
  for (Sequence sequence = first; sequence <= last; ++sequence)
    made.push_back({"1", "42", sequence, Time{}, 1});
  return made;
}

struct Seen {
  Sequence confirmed = 0;
  int lost = 0;
};

/// What a relay does: publishes all, polls, and begins again behind the last confirmation when the queue is
/// lost.
Seen relay(EventPublisher& publisher, Sequence last) {
  Seen seen;
  Sequence queued = 0;
  const auto deadline = SteadyClock::now() + patience;
  while (seen.confirmed < last && SteadyClock::now() < deadline) {
    queued += static_cast<std::int64_t>(publisher.publish(events(queued + 1, last)));
    const auto report = publisher.poll(20ms);
    for (const Watermark& watermark : report.confirmed) {
      EXPECT_GT(watermark.sequence, seen.confirmed);
      EXPECT_LE(watermark.sequence, queued);
      seen.confirmed = watermark.sequence;
    }
    if (!report.lost) continue;
    ++seen.lost;
    EXPECT_EQ(publisher.in_flight(), 0u);
    queued = seen.confirmed;
  }
  EXPECT_EQ(seen.confirmed, last);
  return seen;
}

TEST_F(KafkaFailure, AMessageRefusedForGoodLosesTheQueueOnce) {
  fail_next(produce_request, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 50).lost, 1);
}

TEST_F(KafkaFailure, AFatalErrorLosesTheQueueOnce) {
  fail_next(init_producer_id_request, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 50).lost, 1);
}

TEST_F(KafkaFailure, AFailureThatPassesLosesNothing) {
  fail_next(produce_request, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  fail_next(produce_request, RD_KAFKA_RESP_ERR__TRANSPORT);
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 50).lost, 0);
}

TEST_F(KafkaFailure, AnOutageIsWaitedOut) {
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 5).lost, 0);
  rd_kafka_mock_broker_set_down(cluster_, 1);
  ASSERT_EQ(publisher->publish(events(6, 9)), 4u);
  EXPECT_TRUE(publisher->poll(200ms).confirmed.empty());
  const auto check = publisher->check();
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().code, Errc::unavailable);
  EXPECT_EQ(publisher->in_flight(), 4u);

  rd_kafka_mock_broker_set_up(cluster_, 1);
  Sequence confirmed = 0;
  const auto deadline = SteadyClock::now() + patience;
  while (confirmed < 9 && SteadyClock::now() < deadline) {
    const auto report = publisher->poll(50ms);
    EXPECT_FALSE(report.lost);
    if (!report.confirmed.empty()) confirmed = report.confirmed.back().sequence;
  }
  EXPECT_EQ(confirmed, 9);
}

TEST_F(KafkaFailure, TheEndIsBoundedDuringAnOutage) {
  auto publisher = make_kafka_publisher(options_);
  auto consumer = make_kafka_consumer(options_);
  EXPECT_EQ(relay(*publisher, 1).lost, 0);
  bool owned = false;
  const auto deadline = SteadyClock::now() + patience;
  while (!owned && SteadyClock::now() < deadline) {
    const auto polled = consumer->poll(10, 50ms);
    ASSERT_TRUE(polled);
    owned = polled->reassigned && !polled->partitions.empty();
  }
  ASSERT_TRUE(owned);
  ASSERT_TRUE(consumer->start_at({}));

  rd_kafka_mock_broker_set_down(cluster_, 1);
  ASSERT_EQ(publisher->publish(events(2, 9)), 8u);
  const auto before = SteadyClock::now();
  publisher.reset();
  consumer.reset();
  EXPECT_LT(SteadyClock::now() - before, 20s);  // two waits of 500 ms, and the threads' ends
}

TEST_F(KafkaFailure, AnOutageIsNoErrorOfThePoll) {
  rd_kafka_mock_broker_set_down(cluster_, 1);
  const auto consumer = make_kafka_consumer(options_);
  for (int i = 0; i < 5; ++i) {
    const auto polled = consumer->poll(10, 50ms);
    ASSERT_TRUE(polled);
    EXPECT_FALSE(polled->reassigned);
    EXPECT_TRUE(polled->records.empty());
  }
}

TEST_F(KafkaFailure, ADeadLetterWithoutABrokerIsUnavailable) {
  options_.dead_letter_wait_ms = 500;
  options_.call_timeout_ms = 500;
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 1).lost, 0);
  const auto [consumer, records] = consume(1);
  ASSERT_FALSE(records.empty());
  rd_kafka_mock_broker_set_down(cluster_, 1);
  const auto refused = dead_letter(*consumer, records[0], "x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
}

TEST_F(KafkaFailure, CopiesOfATopicAreCounted) {
  rd_kafka_mock_cluster_t* three = rd_kafka_mock_cluster_new(owner_.get(), 3);
  rd_kafka_mock_topic_create(three, "topic", 2, 3);
  options_.url = "kafka://" + std::string(rd_kafka_mock_cluster_bootstraps(three)) + "/topic";
  {
    const auto client =
        kafka::make_client(kafka::Role::consumer, options_, kafka::parse_url(options_.url), {});
    const auto copies = kafka::copies_of(client.get(), "topic", 5s).value();
    EXPECT_EQ(copies.brokers, 3);
    EXPECT_EQ(copies.replicas, 3);
  }
  rd_kafka_mock_cluster_destroy(three);
}

// One at a time, a batch of 4,000 took longer here than max.poll.interval.ms allows: 400 s.
TEST_F(KafkaFailure, DeadLettersTakeOneRoundTripTogether) {
  constexpr std::size_t count = 300;
  constexpr auto round_trip = 100ms;
  rd_kafka_mock_topic_create(cluster_, "topic-dlt", 1, 1);
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, int{count}).lost, 0);
  const auto [consumer, records] = consume(count);
  ASSERT_EQ(records.size(), count);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, static_cast<int>(round_trip.count()));
  std::vector<RefusedRecord> refused;
  for (const LogRecord& record : records) refused.push_back({&record, "x"});
  const auto began = SteadyClock::now();
  ASSERT_TRUE(consumer->dead_letter(refused));
  EXPECT_LT(SteadyClock::now() - began, count * round_trip / 3);
}

// With others, alone, and without its headers: nothing more can be left out.
TEST_F(KafkaFailure, ALetterThatIsTooLargeInEveryFormHoldsUpNoOther) {
  rd_kafka_mock_topic_create(cluster_, "topic-dlt", 1, 1);
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 2).lost, 0);
  const auto [consumer, records] = consume(2);
  ASSERT_EQ(records.size(), 2U);
  for (int form = 0; form < 3; ++form) fail_next(produce_request, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  EXPECT_TRUE(dead_letter(*consumer, records[0], "x"));
  EXPECT_TRUE(dead_letter(*consumer, records[1], "y"));
  const auto letters = open_dead_letters(options_)->unhandled(9);
  ASSERT_TRUE(letters) << letters.error().message;
  ASSERT_EQ(letters->size(), 1U);
  EXPECT_EQ(letters->front().reason, "y");
}

// The call that gives up leaves it on its way: the next one finds it written, and writes no second one.
TEST_F(KafkaFailure, ATopicThatHangsHoldsItsCallerUpForAMoment) {
  options_.dead_letter_patience_ms = 100;
  rd_kafka_mock_topic_create(cluster_, "topic-dlt", 1, 1);
  const auto publisher = make_kafka_publisher(options_);
  EXPECT_EQ(relay(*publisher, 2).lost, 0);
  const auto [consumer, records] = consume(2);
  ASSERT_EQ(records.size(), 2U);
  const auto deadline = SteadyClock::now() + patience;
  while (!dead_letter(*consumer, records[0], "x")) ASSERT_LT(SteadyClock::now(), deadline);

  rd_kafka_mock_broker_push_request_error_rtts(cluster_, 1, produce_request, 1, RD_KAFKA_RESP_ERR_NO_ERROR,
                                               3'000);
  int calls = 0;
  const auto began = SteadyClock::now();
  auto longest = 0ms;
  for (bool written = false; !written; ++calls) {
    const auto before = SteadyClock::now();
    ASSERT_LT(before, deadline);
    written = dead_letter(*consumer, records[1], "y").has_value();
    longest = std::max(longest, std::chrono::ceil<std::chrono::milliseconds>(SteadyClock::now() - before));
  }
  EXPECT_GT(SteadyClock::now() - began, 2s);
  EXPECT_LT(longest, 2s);
  EXPECT_GT(calls, 2);
  const auto letters = open_dead_letters(options_)->unhandled(9);
  ASSERT_TRUE(letters) << letters.error().message;
  EXPECT_EQ(letters->size(), 2U);
}

}  // namespace
}  // namespace seonchak
