#include <chrono>
#include <thread>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"
#include "events/testing/kafka.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int wait_ms = 30'000;

/// Another program, which writes bare messages in transactions.
class Transactions {
 public:
  explicit Transactions(const KafkaOptions& options)
      : target_(kafka::parse_url(options.url)),
        client_(kafka::make_client(kafka::Role::producer, options, target_, {}, [](rd_kafka_conf_t* conf) {
          rd_kafka_conf_set(conf, "transactional.id", unique_name("foreign").c_str(), nullptr, 0);
        })) {
    expect(rd_kafka_init_transactions(client_.get(), wait_ms));
  }

  void begin_with_a_message() {
    expect(rd_kafka_begin_transaction(client_.get()));
    const std::string value = R"({"couponId":1,"userId":42})";
    rd_kafka_producev(client_.get(), RD_KAFKA_V_TOPIC(target_.topic.c_str()), RD_KAFKA_V_PARTITION(0),
                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                      RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_END);
    EXPECT_EQ(rd_kafka_flush(client_.get(), wait_ms), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  void commit() { expect(rd_kafka_commit_transaction(client_.get(), wait_ms)); }

 private:
  static void expect(rd_kafka_error_t* error) {
    EXPECT_EQ(error, nullptr) << rd_kafka_error_string(error);
    if (error != nullptr) rd_kafka_error_destroy(error);
  }

  const kafka::Target target_;
  const kafka::Client client_;
};

std::vector<IssuedEvent> one_event(int number) {
  return {{"1", "u" + std::to_string(number), number, from_millis(1), 3}};
}

/// What is there, once the log ends at `end`, and how often something was read.
struct Tail {
  Tail(const KafkaOptions& options, std::int64_t end) {
    const auto tail = make_kafka_tail(options);
    EXPECT_TRUE(tail->start({}));
    auto ends = tail->ends().value();
    // A transaction is committed before its marker is written.
    while (ends.front().next_offset < end && SteadyClock::now() < deadline) {
      std::this_thread::sleep_for(10ms);
      ends = tail->ends().value();
    }
    EXPECT_EQ(ends.front().next_offset, end);
    while (!at_end && SteadyClock::now() < deadline) {
      const auto part = tail->read(ends, 1, 50ms).value();
      events.insert(events.end(), part.events.begin(), part.events.end());
      advances += part.advanced ? 1 : 0;
      at_end = part.at_end;
    }
  }

  std::vector<IssuedEvent> events;
  const SteadyClock::time_point deadline = SteadyClock::now() + 30s;
  int advances = 0;
  bool at_end = false;
};

TEST(KafkaTail, TheMarkerOfATransactionAtTheEndIsNotWaitedFor) {
  const KafkaOptions options = fresh_kafka();
  publish(options, one_event(1));
  Transactions foreign(options);
  foreign.begin_with_a_message();
  foreign.commit();
  const Tail tail(options, 3);  // an event, a bare message and the marker
  EXPECT_TRUE(tail.at_end);
  EXPECT_EQ(tail.events, one_event(1));
  EXPECT_GE(tail.advances, 2) << "a bare message is progress";
}

TEST(KafkaTail, AnOpenTransactionOfAnotherProgramHidesNothing) {
  const KafkaOptions options = fresh_kafka();
  Transactions foreign(options);
  foreign.begin_with_a_message();
  publish(options, one_event(1));
  const Tail tail(options, 2);
  EXPECT_TRUE(tail.at_end);
  EXPECT_EQ(tail.events, one_event(1));
  foreign.commit();
}

}  // namespace
}  // namespace seonchak
