#include "events/kafka/options.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace seonchak::kafka {
namespace {

std::string problem(std::string_view url) {
  try {
    parse_url(url);
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

TEST(KafkaUrl, PortAndTopicHaveDefaults) {
  for (const char* url : {"kafka://broker", "kafka://broker/", "kafka://broker:9092/coupon-issue"}) {
    const Target target = parse_url(url);
    EXPECT_EQ(target.brokers, "broker:9092") << url;
    EXPECT_EQ(target.topic, "coupon-issue") << url;
    EXPECT_EQ(target.security_protocol(), "plaintext") << url;
  }
  EXPECT_EQ(parse_url("kafka://b/t").dead_letter_topic(), "t-dlt");
}

TEST(KafkaUrl, SeveralHosts) {
  EXPECT_EQ(parse_url("kafka://a,b:19092,[::1],[fe80::2]:1/t").brokers,
            "a:9092,b:19092,[::1]:9092,[fe80::2]:1");
}

TEST(KafkaUrl, ALoginIsDecodedAndMeansSasl) {
  const Target target = parse_url("kafka://us%40er:p%3Aa:ss%2F@a:1,b:2/t");
  EXPECT_EQ(target.user, "us@er");
  EXPECT_EQ(target.password, "p:a:ss/");
  EXPECT_EQ(target.brokers, "a:1,b:2");
  EXPECT_EQ(target.security_protocol(), "sasl_plaintext");
}

TEST(KafkaUrl, KafkaSslEncrypts) {
  EXPECT_EQ(parse_url("kafka+ssl://a/t").security_protocol(), "ssl");
  EXPECT_EQ(parse_url("kafka+ssl://u:p@a/t").security_protocol(), "sasl_ssl");
}

TEST(KafkaUrl, WhatIsWrongIsSaid) {
  for (const char* url : {"",
                          "broker:9092",
                          "redis://a",
                          "kafka:/a",
                          "kafka://",
                          "kafka://a,,b",
                          "kafka://:9092",
                          "kafka://a:0",
                          "kafka://a:65536",
                          "kafka://a:x",
                          "kafka://a:",
                          "kafka://a/b/c",
                          "kafka://a/..",
                          "kafka://a/b?c=d",
                          "kafka://a/b#c",
                          "kafka://user@a",
                          "kafka://:p@a",
                          "kafka://u:%zz@a",
                          "kafka://u:%4",
                          "kafka://[::1",
                          "kafka://[]:1",
                          "kafka://a/topic name"}) {
    EXPECT_TRUE(problem(url).starts_with("the Kafka URL has") ||
                problem(url).starts_with("the Kafka URL does"))
        << url << " -> " << problem(url);
  }
  EXPECT_NE(problem("kafka://a/" + std::string(246, 't')), "");
  EXPECT_EQ(problem("kafka://a/" + std::string(245, 't')), "");
}

TEST(KafkaUrl, ThePasswordIsNeverInTheMessage) {
  for (const char* url : {"kafka://user:hunter2@a:0", "kafka://user:hunter2@", "kafka://user:hunter2@a/..",
                          "redis://user:hunter2@a"}) {
    EXPECT_NE(problem(url), "") << url;
    EXPECT_EQ(problem(url).find("hunter2"), std::string::npos) << url;
  }
}

TEST(KafkaProperties, ThoseTheGuaranteesRestOnAreReserved) {
  for (const char* name : {"acks", "enable.auto.commit", "enable.idempotence", "partitioner", "group.id"}) {
    EXPECT_TRUE(reserved_property(name)) << name;
  }
  for (const char* name :
       {"ssl.ca.location", "sasl.mechanisms", "security.protocol", "linger.ms", "compression.codec"}) {
    EXPECT_FALSE(reserved_property(name)) << name;
  }
}

}  // namespace
}  // namespace seonchak::kafka
