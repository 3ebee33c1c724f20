#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/ports/event_log.hpp"
#include "events/kafka/kafka.hpp"
#include "events/memory/memory.hpp"
#include "events/testing/kafka.hpp"
#include "sim/memory_log.hpp"

namespace seonchak {

inline constexpr std::size_t queue_events = 100;
inline constexpr auto patience = std::chrono::seconds(60);

/// One log, new and empty, with room for queue_events.
struct Log {
  std::function<std::unique_ptr<EventPublisher>()> publisher;
  std::function<std::unique_ptr<EventConsumer>()> consumer;
  std::function<std::unique_ptr<EventLogTail>()> tail;
};

inline Log memory_log() {
  const auto log = std::make_shared<MemoryLog>(MemoryLogOptions{.events_max = queue_events});
  return {[log] { return log->publisher(); }, [log] { return log->consumer(); },
          [log] { return log->tail(); }};
}

inline Log simulated_log() {
  const auto log = std::make_shared<sim::MemoryLog>(sim::MemoryLogOptions{.queue_events_max = queue_events});
  return {[log] { return log->publisher(); }, [log] { return log->consumer(); },
          [log] { return log->tail(); }};
}

inline Log kafka_log() {
  KafkaOptions options = fresh_kafka();
  options.queue_events_max = queue_events;
  return {[options] { return make_kafka_publisher(options); },
          [options] { return make_kafka_consumer(options); }, [options] { return make_kafka_tail(options); }};
}

struct Twin {
  const char* name;
  Log (*make)();
};

inline void PrintTo(const Twin& twin, std::ostream* out) {
  *out << twin.name;
}

class EventLogContract : public testing::TestWithParam<Twin> {
 protected:
  Log log_ = GetParam().make();
};

inline IssuedEvent event(const std::string& coupon_id, Sequence sequence) {
  return {coupon_id, "user:" + to_string(sequence), sequence,
          from_millis(1'795'316'400'000 + sequence.value()), 4};
}

inline std::vector<IssuedEvent> events(const std::string& coupon_id, Sequence first, Sequence last) {
  std::vector<IssuedEvent> made;
  for (Sequence sequence = first; sequence <= last; ++sequence) made.push_back(event(coupon_id, sequence));
  return made;
}

/// Polls until `enough`; fails the test after a generous time.
template <class Poll, class Enough>
void until(Poll poll, Enough enough) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!enough()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    poll();
  }
}

/// The confirmed sequence of each coupon, once nothing is in flight.
inline std::map<std::string, Sequence> settle(EventPublisher& publisher) {
  std::map<std::string, Sequence> confirmed;
  const auto take = [&] {
    const auto report = publisher.poll(std::chrono::milliseconds(50));
    EXPECT_FALSE(report.lost);
    for (const Watermark& watermark : report.confirmed) confirmed[watermark.coupon_id] = watermark.sequence;
  };
  take();
  until(take, [&] { return publisher.in_flight() == 0; });
  return confirmed;
}

inline void assign(EventConsumer& consumer, const std::vector<LogPosition>& positions) {
  bool owned = false;
  until(
      [&] {
        const auto polled = consumer.poll(10, std::chrono::milliseconds(50));
        ASSERT_TRUE(polled);
        EXPECT_TRUE(polled->records.empty());
        owned = polled->reassigned && !polled->partitions.empty();
      },
      [&] { return owned; });
  ASSERT_TRUE(consumer.start_at(positions));
}

inline std::vector<LogRecord> read(EventConsumer& consumer, std::size_t count) {
  std::vector<LogRecord> records;
  until(
      [&] {
        auto polled = consumer.poll(count - records.size(), std::chrono::milliseconds(50));
        ASSERT_TRUE(polled);
        ASSERT_FALSE(polled->reassigned);
        ASSERT_LE(polled->records.size(), count - records.size());
        for (LogRecord& record : polled->records) records.push_back(std::move(record));
      },
      [&] { return records.size() >= count; });
  return records;
}

inline std::vector<IssuedEvent> issued(const std::vector<LogRecord>& records) {
  std::vector<IssuedEvent> out;
  for (const LogRecord& record : records) out.push_back(std::get<IssuedEvent>(record.message));
  return out;
}

}  // namespace seonchak
