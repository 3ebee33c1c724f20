#pragma once
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

#include "events/kafka.hpp"

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
  require_kafka(options);
  return options;
}

}  // namespace seonchak
