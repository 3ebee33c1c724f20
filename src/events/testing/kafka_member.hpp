#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"

namespace seonchak {

inline constexpr std::chrono::seconds patience{60};

/// Writes one message with librdkafka alone; no value is a tombstone.
inline void write_raw(const KafkaOptions& options, const std::string& key,
                      const std::optional<std::string>& value, int partition = RD_KAFKA_PARTITION_UA,
                      const std::pair<std::string, std::string>& header = {"trace", "abc"}) {
  const auto target = kafka::parse_url(options.url);
  const auto client = kafka::make_client(kafka::Role::producer, options, target, {{"acks", "all"}});
  char* bytes = value ? const_cast<char*>(value->data()) : nullptr;
  const std::size_t size = value ? value->size() : 0;
  rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(target.topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data(), key.size()),
                    RD_KAFKA_V_VALUE(bytes, size),
                    RD_KAFKA_V_HEADER(header.first.c_str(), header.second.data(), header.second.size()),
                    RD_KAFKA_V_TIMESTAMP(1'795'316'400'123), RD_KAFKA_V_END);
  ASSERT_EQ(rd_kafka_flush(client.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/// A consumer, what it owns and what it has read; begins each partition where `position` is.
struct Member {
  explicit Member(const KafkaOptions& options) : consumer(make_kafka_consumer(options)) {}

  void step(std::map<std::int32_t, std::int64_t>& position, std::size_t records_max = 100) {
    const auto polled = consumer->poll(records_max, std::chrono::milliseconds(20));
    ASSERT_TRUE(polled);
    if (polled->reassigned) {
      ++reassignments;
      owned = {polled->partitions.begin(), polled->partitions.end()};
      std::vector<LogPosition> positions;
      for (const auto& [partition, next] : position) positions.push_back({partition, next});
      ASSERT_TRUE(consumer->start_at(positions));
    }
    for (const LogRecord& record : polled->records) {
      EXPECT_TRUE(owned.contains(record.partition));
      EXPECT_EQ(record.offset, position[record.partition]);
      position[record.partition] = record.offset + 1;
      records.push_back(record);
    }
  }

  std::unique_ptr<EventConsumer> consumer;
  std::set<std::int32_t> owned;
  int reassignments = 0;
  std::vector<LogRecord> records;
};

}  // namespace seonchak
