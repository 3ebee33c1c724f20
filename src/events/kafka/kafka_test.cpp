#include "events/kafka/kafka.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "events/kafka/client.hpp"
#include "events/message.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_member.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using SteadyClock = std::chrono::steady_clock;

struct Raw {
  std::int32_t partition = 0;
  std::string key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
  std::int64_t timestamp = 0;
};

Raw raw_of(const rd_kafka_message_t& message) {
  Raw raw;
  raw.partition = message.partition;
  raw.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.payload) raw.value.emplace(static_cast<const char*>(message.payload), message.len);
  rd_kafka_timestamp_type_t type{};
  raw.timestamp = rd_kafka_message_timestamp(&message, &type);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return raw;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    raw.headers.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
  return raw;
}

/// The first `count` messages of the topic, read with librdkafka alone.
std::vector<Raw> read_raw(const KafkaOptions& options, const std::string& topic, int partitions,
                          std::size_t count) {
  KafkaOptions reader = options;
  const auto client = kafka::make_client(kafka::Role::consumer, reader, kafka::parse_url(options.url),
                                         {{"group.id", unique_name("reader")},
                                          {"enable.auto.commit", "false"},
                                          {"auto.offset.reset", "earliest"}});
  rd_kafka_poll_set_consumer(client.get());
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(partitions));
  for (int partition = 0; partition < partitions; ++partition) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(client.get(), list.get());
  std::vector<Raw> out;
  const auto deadline = SteadyClock::now() + patience;
  while (out.size() < count && SteadyClock::now() < deadline) {
    const kafka::MessagePtr message(rd_kafka_consumer_poll(client.get(), 100));
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) out.push_back(raw_of(*message));
  }
  EXPECT_EQ(out.size(), count);
  return out;
}

IssuedEvent event(const std::string& coupon_id, Sequence sequence) {
  return {coupon_id, "42", sequence, *parse_rfc3339("2026-11-22T03:00:00.123Z"), 3};
}

std::vector<LogRecord> read(Member& member, std::size_t count) {
  std::map<std::int32_t, std::int64_t> position;
  const auto deadline = SteadyClock::now() + patience;
  while (member.records.size() < count && SteadyClock::now() < deadline) member.step(position);
  EXPECT_EQ(member.records.size(), count);
  return member.records;
}

std::string topic_of(const KafkaOptions& options) {
  return kafka::parse_url(options.url).topic;
}

TEST(Kafka, AMessageIsExactlyAsDocumented) {
  const KafkaOptions options = fresh_kafka();
  publish(options, {event("1", 17)});
  const auto raw = read_raw(options, topic_of(options), 1, 1);
  EXPECT_EQ(raw[0].key, "1");
  EXPECT_EQ(
      raw[0].value,
      R"({"couponId":"1","userId":"42","sequence":17,"issuedAt":"2026-11-22T03:00:00.123Z","epoch":3})");
  const std::vector<std::pair<std::string, std::string>> headers = {{"ce_specversion", "1.0"},
                                                                    {"ce_id", "1:3:17"},
                                                                    {"ce_source", "/seonchak"},
                                                                    {"ce_type", "coupon.issued"},
                                                                    {"ce_time", "2026-11-22T03:00:00.123Z"},
                                                                    {"content-type", "application/json"}};
  EXPECT_EQ(raw[0].headers, headers);
}

TEST(Kafka, ACouponsPartitionIsTheOneJavaClientsChoose) {
  constexpr int partitions = 7;
  const KafkaOptions options = fresh_kafka(partitions);
  // Computed with Java's client: Utils.toPositive(Utils.murmur2(key)) % 7.
  const std::map<std::string, std::int32_t> expected = {{"21", 3},
                                                        {"foobar", 0},
                                                        {"abc", 4},
                                                        {"a-little-bit-long-string", 1},
                                                        {"1", 2},
                                                        {"a-little-bit-longer-string", 0},
                                                        {"coupon-issue", 6},
                                                        {"spring.sale_2-x", 0}};
  std::vector<IssuedEvent> events;
  for (const auto& [coupon_id, partition] : expected) events.push_back(event(coupon_id, 1));
  publish(options, events);
  std::map<std::string, std::int32_t> found;
  for (const Raw& raw : read_raw(options, topic_of(options), partitions, expected.size()))
    found[raw.key] = raw.partition;
  EXPECT_EQ(found, expected);
}

TEST(Kafka, OtherProgramsMessagesAreRead) {
  const KafkaOptions options = fresh_kafka();
  write_raw(options, "1", R"({"couponId":1,"userId":42})");
  write_raw(options, "1", R"({"couponId":"1","userId":"42","sequence":5})");
  write_raw(options, "1", "nonsense");
  write_raw(options, "1", std::nullopt);
  write_raw(options, "1", "");
  write_raw(options, "1", R"({"couponId":"1","userId":"42","sequence":5})", 0, {"ce_id", "1:7:5"});
  write_raw(options, "1", R"({"couponId":"1","userId":"42","sequence":5,"epoch":8})", 0, {"ce_id", "1:7:5"});
  Member member(options);
  const auto records = read(member, 7);
  EXPECT_EQ(records[0].message, Message(BareRequest{"1", "42"}));
  EXPECT_EQ(records[1].message, Message(IssuedEvent{"1", "42", 5, from_millis(1'795'316'400'123), 0}));
  EXPECT_TRUE(std::get<Malformed>(records[2].message).reason.starts_with("not JSON"));
  EXPECT_EQ(records[3].message, Message(Malformed{"the message has no value (a tombstone)"}));
  EXPECT_TRUE(std::get<Malformed>(records[4].message).reason.starts_with("not JSON"));
  EXPECT_EQ(records[5].message, Message(IssuedEvent{"1", "42", 5, from_millis(1'795'316'400'123), 7}));
  EXPECT_EQ(records[6].message, Message(IssuedEvent{"1", "42", 5, from_millis(1'795'316'400'123), 8}));
}

TEST(Kafka, APollEndsWhenItsBytesAreEnough) {
  KafkaOptions options = fresh_kafka();
  options.poll_kilobytes_max = 1;
  for (int i = 0; i < 5; ++i) write_raw(options, "1", std::string(600, 'x'), 0);
  Member member(options);
  std::map<std::int32_t, std::int64_t> position;
  for (int step = 0; step < 1'000 && member.records.size() < 5; ++step) {
    const std::size_t before = member.records.size();
    member.step(position);
    EXPECT_LE(member.records.size() - before, 2u);
  }
  EXPECT_EQ(member.records.size(), 5u);
}

TEST(Kafka, ADeadLetterCarriesSpringsHeaders) {
  const KafkaOptions options = fresh_kafka(2);
  write_raw(options, "key", "first", 1);
  write_raw(options, "key", "broken", 1);
  Member member(options);
  const auto records = read(member, 2);
  ASSERT_TRUE(dead_letter(*member.consumer, records[1], "not JSON: it is broken"));

  const auto raw = read_raw(options, topic_of(options) + "-dlt", 2, 1);
  EXPECT_EQ(raw[0].partition, 1);
  EXPECT_EQ(raw[0].key, "key");
  EXPECT_EQ(raw[0].value, "broken");
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"trace", "abc"},
      {"kafka_dlt-original-topic", topic_of(options)},
      {"kafka_dlt-original-partition", "\0\0\0\1"s},
      {"kafka_dlt-original-offset", "\0\0\0\0\0\0\0\1"s},
      {"kafka_dlt-original-timestamp", "\x00\x00\x01\xa2\x01\x32\x3f\xfb"s},
      {"kafka_dlt-original-timestamp-type", "CreateTime"},
      {"kafka_dlt-original-consumer-group", options.group},
      {"kafka_dlt-exception-fqcn", "seonchak.DeadLetter"},
      {"kafka_dlt-exception-message", "not JSON: it is broken"}};
  EXPECT_EQ(raw[0].headers, headers);
}

TEST(Kafka, ADeadTombstoneStaysOne) {
  const KafkaOptions options = fresh_kafka();
  write_raw(options, "key", std::nullopt);
  Member member(options);
  const auto records = read(member, 1);
  ASSERT_TRUE(dead_letter(*member.consumer, records[0], "tombstone"));
  EXPECT_EQ(read_raw(options, topic_of(options) + "-dlt", 1, 1)[0].value, std::nullopt);
}

TEST(Kafka, ADeadLetterTooLargeForItsTopicIsCut) {
  KafkaOptions options = fresh_kafka();
  options.properties = {{"message.max.bytes", "2000000"}};
  // Without headers it just fits the broker's default of 1 MiB + 12; with Spring's it does not.
  const std::string value(1'048'588 - 120, 'x');
  write_raw(options, "key", value);
  options.properties.clear();
  Member member(options);
  const auto records = read(member, 1);
  ASSERT_TRUE(dead_letter(*member.consumer, records[0], "large"));
  const auto raw = read_raw(options, topic_of(options) + "-dlt", 1, 1);
  EXPECT_EQ(raw[0].value, value.substr(0, value_bytes_max));
  EXPECT_EQ(raw[0].headers.back().second.substr(0, 16), "large (value cut");
}

TEST(Kafka, ADeadLetterGoesAnywhereWhenItsTopicHasFewerPartitions) {
  const KafkaOptions narrow = fresh_kafka(1);
  KafkaOptions wide = narrow;
  // The dead-letter topic of "x" is there with one partition before "x" itself has three.
  const std::string topic = unique_name("wide");
  KafkaOptions letters = narrow;
  letters.url = "kafka://" + test_brokers() + "/" + topic + "-dlt";
  require_kafka(letters);
  wide.url = "kafka://" + test_brokers() + "/" + topic;
  wide.partitions = 3;
  require_kafka(wide);
  write_raw(wide, "key", "broken", 2);
  Member member(wide);
  const auto records = read(member, 1);
  EXPECT_EQ(records[0].partition, 2);
  ASSERT_TRUE(dead_letter(*member.consumer, records[0], "broken"));
  EXPECT_EQ(read_raw(wide, topic + "-dlt", 1, 1)[0].partition, 0);
}

TEST(Kafka, OnlyARecordOfTheLastPollCanBeADeadLetter) {
  const KafkaOptions options = fresh_kafka();
  publish(options, {event("1", 1)});
  Member member(options);
  auto records = read(member, 1);
  records[0].offset = 9;
  const auto refused = dead_letter(*member.consumer, records[0], "x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid);
}

TEST(Kafka, APositionBeyondTheLogStartsAtItsBeginning) {
  const KafkaOptions options = fresh_kafka();
  publish(options, {event("1", 1), event("1", 2)});
  const auto consumer = make_kafka_consumer(options);
  const auto deadline = SteadyClock::now() + patience;
  std::vector<LogRecord> records;
  const std::vector<LogPosition> beyond = {{0, 500}};
  while (records.size() < 2 && SteadyClock::now() < deadline) {
    const auto polled = consumer->poll(10, 50ms);
    ASSERT_TRUE(polled);
    if (polled->reassigned) {
      ASSERT_TRUE(consumer->start_at(beyond));
    }
    records.insert(records.end(), polled->records.begin(), polled->records.end());
  }
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].offset, 0);
}

TEST(Kafka, TheGroupsOffsetsFollowTheStore) {
  const KafkaOptions options = fresh_kafka();
  publish(options, {event("1", 1), event("1", 2), event("1", 3)});
  {
    Member member(options);
    read(member, 3);
    const std::vector<LogPosition> saved = {{0, 2}};
    member.consumer->committed(saved);
  }
  const auto client = kafka::make_client(kafka::Role::consumer, options, kafka::parse_url(options.url),
                                         {{"group.id", options.group}});
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic_of(options).c_str(), 0);
  ASSERT_EQ(rd_kafka_committed(client.get(), list.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(entry->offset, 2);
}

TEST(Kafka, ATopicThatExistsIsLeftAsItIs) {
  KafkaOptions options = fresh_kafka(3);
  options.partitions = 1;
  EXPECT_NO_THROW(require_kafka(options));
  write_raw(options, "k", "v", 2);
  EXPECT_EQ(read_raw(options, topic_of(options), 3, 1)[0].partition, 2);
}

}  // namespace
}  // namespace seonchak
