#pragma once
#include <chrono>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "events/kafka/kafka.hpp"

namespace seonchak {

/// A name no other test uses.
inline std::string unique_name(const std::string& prefix) {
  std::random_device random;
  return prefix + "-" + std::to_string(random()) + "-" + std::to_string(random());
}

/// The broker's "host:port".
inline std::string test_brokers() {
  const char* brokers = std::getenv("SEONCHAK_TEST_KAFKA");
  if (!brokers) throw std::runtime_error("SEONCHAK_TEST_KAFKA is not set: run it through ./dev test");
  return brokers;
}

inline Result<void> dead_letter(EventConsumer& consumer, const LogRecord& record, const std::string& reason) {
  const RefusedRecord refused{&record, reason};
  return consumer.dead_letter({&refused, 1});
}

/// A topic and a group of the test's own, created.
inline KafkaOptions fresh_kafka(int partitions = 1) {
  KafkaOptions options;
  options.url = "kafka://" + test_brokers() + "/" + unique_name("topic");
  options.group = unique_name("group");
  options.partitions = partitions;
  options.dead_letter_patience_ms = 10'000;  // sanitizers are slow
  require_kafka(options);
  return options;
}

/// Writes events and waits for their confirmation.
inline void publish(const KafkaOptions& options, const std::vector<IssuedEvent>& events) {
  const auto publisher = make_kafka_publisher(options);
  ASSERT_EQ(publisher->publish(events), events.size());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (publisher->in_flight() > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    ASSERT_FALSE(publisher->poll(std::chrono::milliseconds(50)).lost);
  }
}

}  // namespace seonchak
