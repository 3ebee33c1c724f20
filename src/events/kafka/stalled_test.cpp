#include "events/kafka/stalled.hpp"

#include <array>
#include <chrono>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "core/testing/ticker.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_member.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;

/// A topic with two records in its one partition, which is read from its beginning.
class KafkaStalled : public ::testing::Test {
 protected:
  KafkaStalled() {
    for (const char* value : {"one", "two"}) write_raw(options_, "c", value);
  }

  /// A record, or the partition's end, at this offset.
  void saw(rd_kafka_resp_err_t error, std::int64_t offset) {
    rd_kafka_message_t message{};
    message.err = error;
    message.offset = offset;
    reading_.saw(message);
  }

  bool found_within(std::chrono::seconds duration) {
    const std::array owned = {0};
    bool found = false;
    for (const auto until = time_.passed + duration; time_.passed < until; time_.passed += 1s)
      found = stalled_.found(client_.get(), owned, {{0, 0}}) || found;
    return found;
  }

  HandTime time_;
  const KafkaOptions options_ = fresh_kafka();
  const kafka::Target target_ = kafka::parse_url(options_.url);
  kafka::Client client_ = kafka::make_client(kafka::Role::consumer, options_, target_, {});
  kafka::LogRanges ranges_{options_, target_};
  kafka::Reading reading_{target_, ranges_};
  kafka::Stalled stalled_{ranges_, reading_};
};

TEST_F(KafkaStalled, APartitionThatHasMoreAndOfWhichNothingComesIsFound) {
  EXPECT_FALSE(found_within(10s)) << "it may just take long";
  EXPECT_TRUE(found_within(15s));
}

TEST_F(KafkaStalled, SoIsOneOfWhichNothingMoreComes) {
  saw(RD_KAFKA_RESP_ERR_NO_ERROR, 0);
  EXPECT_TRUE(found_within(25s));
}

TEST_F(KafkaStalled, OneThatIsReadToItsEndIsNot) {
  saw(RD_KAFKA_RESP_ERR_NO_ERROR, 1);
  EXPECT_FALSE(found_within(60s));
  saw(RD_KAFKA_RESP_ERR__PARTITION_EOF, 2);
  EXPECT_FALSE(found_within(60s));
  write_raw(options_, "c", "three");
  EXPECT_TRUE(found_within(25s));
}

TEST_F(KafkaStalled, NorIsOneThatStartsAnew) {
  EXPECT_FALSE(found_within(14s));
  stalled_.forget();
  EXPECT_FALSE(found_within(14s));
}

}  // namespace
}  // namespace seonchak
