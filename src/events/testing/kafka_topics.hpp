#pragma once
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"

namespace seonchak {

/// What an operator does to topics, while programs run.
class Topics {
 public:
  explicit Topics(const KafkaOptions& options)
      : options_(options),
        target_(kafka::parse_url(options.url)),
        client_(kafka::make_client(kafka::Role::consumer, options, target_, {})),
        queue_(rd_kafka_queue_new(client_.get())) {}
  ~Topics() { rd_kafka_queue_destroy(queue_); }
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;

  /// Returns when the broker does not have it any more.
  void remove(const std::string& name) {
    rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(name.c_str());
    rd_kafka_DeleteTopics(client_.get(), &topic, 1, nullptr, queue_);
    rd_kafka_DeleteTopic_destroy(topic);
    wait();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (exists(name)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  void make_anew() {
    remove(target_.topic);
    require_kafka(options_);
  }

  void widen(int partitions) {
    char reason[512];
    rd_kafka_NewPartitions_t* more = rd_kafka_NewPartitions_new(
        target_.topic.c_str(), static_cast<std::size_t>(partitions), reason, sizeof reason);
    rd_kafka_CreatePartitions(client_.get(), &more, 1, nullptr, queue_);
    rd_kafka_NewPartitions_destroy(more);
    wait();
  }

  bool exists(const std::string& name) { return partitions(name) > 0; }

  /// 0 when there is no such topic.
  int partitions(const std::string& name) {
    const kafka::Topic topic(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
    const auto count = kafka::partition_count(client_.get(), topic.get(), target_, std::chrono::seconds(5));
    return count ? *count : 0;
  }

 private:
  void wait() {
    rd_kafka_event_t* answer = rd_kafka_queue_poll(queue_, 30'000);
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(rd_kafka_event_error(answer), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(answer);
  }

  const KafkaOptions options_;
  const kafka::Target target_;
  const kafka::Client client_;
  rd_kafka_queue_t* const queue_;
};

}  // namespace seonchak
