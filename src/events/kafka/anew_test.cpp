#include <chrono>

#include <gtest/gtest.h>

#include "events/kafka/kafka.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_topics.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto patience = 60s;

/// A consumer and the store that keeps its position.
struct Reader {
  explicit Reader(const KafkaOptions& options) : consumer(make_kafka_consumer(options)) {}

  void step(std::vector<LogPosition>& store) {
    const auto polled = consumer->poll(100, 20ms);
    ASSERT_TRUE(polled);
    if (polled->reassigned) {
      ASSERT_TRUE(consumer->start_at(store));
    }
    for (const LogRecord& record : polled->records) offsets.push_back(record.offset);
    if (polled->records.empty()) return;
    const LogRecord& last = polled->records.back();
    store = {{last.partition, last.offset + 1, consumer->fingerprint(last)}};
  }

  void read(std::vector<LogPosition>& store, std::size_t count) {
    const auto deadline = SteadyClock::now() + patience;
    while (offsets.size() < count && SteadyClock::now() < deadline) step(store);
    // What is too much would follow at once.
    for (int i = 0; i < 10; ++i) step(store);
    EXPECT_EQ(offsets.size(), count);
  }

  std::unique_ptr<EventConsumer> consumer;
  std::vector<std::int64_t> offsets;
};

std::vector<IssuedEvent> events(int first, int last) {
  std::vector<IssuedEvent> made;
  for (int i = first; i <= last; ++i) made.push_back({"1", "u" + std::to_string(i), i, from_millis(1), 3});
  return made;
}

struct KafkaMadeAnew : testing::Test {
  void SetUp() override {
    publish(options, events(1, 40));
    Reader(options).read(store, 40);
    ASSERT_EQ(store.front().next_offset, 40);
  }

  const KafkaOptions options = fresh_kafka();
  std::vector<LogPosition> store;
};

TEST_F(KafkaMadeAnew, ATopicMadeAnewAndFilledBeyondThePositionIsReadFromItsBeginning) {
  Topics(options).make_anew();
  publish(options, events(101, 160));
  Reader(options).read(store, 60);
  EXPECT_EQ(store.front().next_offset, 60);
}

TEST_F(KafkaMadeAnew, SoIsOneFilledExactlyToThePosition) {
  Topics(options).make_anew();
  publish(options, events(101, 140));
  Reader(options).read(store, 40);
}

TEST_F(KafkaMadeAnew, ATopicThatIsStillTheSameIsReadOn) {
  publish(options, events(41, 45));
  Reader(options).read(store, 5);
}

TEST_F(KafkaMadeAnew, APositionWithoutAFingerprintIsBelieved) {
  store.front().fingerprint.clear();
  Topics(options).make_anew();
  publish(options, events(101, 160));
  Reader(options).read(store, 20);
}

// A program that did not know fingerprints has moved the position.
TEST_F(KafkaMadeAnew, AFingerprintOfAnotherOffsetTellsNothing) {
  publish(options, events(41, 50));
  store.front().next_offset = 45;
  Reader(options).read(store, 5);
}

TEST_F(KafkaMadeAnew, ARunningConsumerBeginsAgainWhenTheEndFalls) {
  Reader reader(options);
  publish(options, events(41, 45));
  reader.read(store, 5);
  Topics(options).make_anew();
  publish(options, events(101, 130));
  reader.read(store, 35);
  EXPECT_EQ(reader.offsets[5], 0);
}

TEST_F(KafkaMadeAnew, TheTailReadsItFromItsBeginning) {
  Topics(options).make_anew();
  publish(options, events(101, 160));
  const auto tail = make_kafka_tail(options);
  ASSERT_TRUE(tail->start(store));
  const auto ends = tail->ends().value();
  std::vector<IssuedEvent> found;
  const auto deadline = SteadyClock::now() + patience;
  for (bool at_end = false; !at_end && SteadyClock::now() < deadline;) {
    const auto part = tail->read(ends, 7, 50ms).value();
    found.insert(found.end(), part.events.begin(), part.events.end());
    at_end = part.at_end;
  }
  EXPECT_EQ(found, events(101, 160));
}

TEST_F(KafkaMadeAnew, TheTailOfTheSameTopicBeginsAtThePosition) {
  publish(options, events(41, 45));
  const auto tail = make_kafka_tail(options);
  ASSERT_TRUE(tail->start(store));
  const auto ends = tail->ends().value();
  std::vector<IssuedEvent> found;
  for (bool at_end = false; !at_end;) {
    const auto part = tail->read(ends, 100, 50ms).value();
    found.insert(found.end(), part.events.begin(), part.events.end());
    at_end = part.at_end;
  }
  EXPECT_EQ(found, events(41, 45));
}

}  // namespace
}  // namespace seonchak
