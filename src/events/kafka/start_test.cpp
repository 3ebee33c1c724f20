#include <gtest/gtest.h>

#include "base/error.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"
#include "events/testing/kafka.hpp"

namespace seonchak {
namespace {

TEST(KafkaStart, ATopicThatCannotBeCreatedStopsTheStart) {
  KafkaOptions options;
  options.url = "kafka://" + test_brokers() + "/" + unique_name("topic");
  options.replication = 9;
  try {
    require_kafka(options);
    FAIL() << "nine replicas on one broker";
  } catch (const StartupError& error) {
    EXPECT_NE(std::string(error.what()).find("does not create the topic"), std::string::npos) << error.what();
  }
}

TEST(KafkaStart, AnUnreachableBrokerStopsTheStartAndIsNamed) {
  KafkaOptions options;
  options.url = "kafka://user:hunter2@127.0.0.1:1,127.0.0.1:2/t";
  options.startup_wait_ms = 1'000;
  try {
    require_kafka(options);
    FAIL() << "nothing listens there";
  } catch (const StartupError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("Kafka at 127.0.0.1:1,127.0.0.1:2 does not answer within 1 s"), std::string::npos)
        << what;
    EXPECT_EQ(what.find("hunter2"), std::string::npos);
  }
}

TEST(KafkaStart, AWrongPropertyStopsTheStart) {
  KafkaOptions options;
  options.properties = {{"no.such.property", "1"}};
  EXPECT_THROW(make_kafka_publisher(options), StartupError);
  EXPECT_THROW(make_kafka_consumer(options), StartupError);
  EXPECT_THROW(require_kafka(options), StartupError);
  options.properties = {{"enable.auto.commit", "true"}};
  EXPECT_THROW(make_kafka_consumer(options), StartupError);
  options.properties = {{"acks", "1"}};
  EXPECT_THROW(make_kafka_publisher(options), StartupError);
}

}  // namespace
}  // namespace seonchak
