#include "events/testing/event_log_contract.hpp"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

using namespace std::chrono_literals;

INSTANTIATE_TEST_SUITE_P(Twins, EventLogContract,
                         testing::Values(Twin{"Memory", memory_log}, Twin{"Simulated", simulated_log},
                                         Twin{"Kafka", kafka_log}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(EventLogContract, EventsArriveUnchangedAndInOrder) {
  const auto publisher = log_.publisher();
  const auto consumer = log_.consumer();
  std::vector<IssuedEvent> sent;
  for (Sequence sequence = 1; sequence <= 30; ++sequence) {
    for (const char* coupon_id : {"1", "spring.sale", "a-b_c"}) sent.push_back(event(coupon_id, sequence));
  }
  ASSERT_EQ(publisher->publish(sent), sent.size());
  settle(*publisher);
  assign(*consumer, {});
  const auto records = read(*consumer, sent.size());
  EXPECT_EQ(issued(records), sent);
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].partition, 0);
    EXPECT_EQ(records[i].offset, static_cast<std::int64_t>(i));
  }
}

TEST_P(EventLogContract, EveryCouponIsConfirmedUpToItsLastEvent) {
  const auto publisher = log_.publisher();
  auto sent = events("x", 5, 24);
  const Sequence last(9'007'199'254'740'000);
  for (const IssuedEvent& other : events("y", last - 7, last)) sent.push_back(other);
  ASSERT_EQ(publisher->publish(sent), sent.size());
  const std::map<std::string, Sequence> expected = {{"x", 24}, {"y", last}};
  EXPECT_EQ(settle(*publisher), expected);
  EXPECT_TRUE(publisher->poll(0ms).confirmed.empty());
}

TEST_P(EventLogContract, NothingIsConfirmedThatWasNotPublished) {
  const auto publisher = log_.publisher();
  EXPECT_EQ(publisher->publish({}), 0u);
  const auto report = publisher->poll(0ms);
  EXPECT_TRUE(report.confirmed.empty());
  EXPECT_FALSE(report.lost);
  EXPECT_EQ(publisher->in_flight(), 0u);
}

TEST_P(EventLogContract, AFullQueueTakesFewerAndTheRestLater) {
  const auto publisher = log_.publisher();
  const auto consumer = log_.consumer();
  assign(*consumer, {});
  const auto sent = events("x", 1, 350);
  std::span<const IssuedEvent> rest = sent;
  const std::size_t taken = publisher->publish(rest);
  EXPECT_EQ(taken, queue_events);
  EXPECT_EQ(publisher->publish(rest.subspan(taken)), 0u);
  rest = rest.subspan(taken);

  std::vector<LogRecord> records;
  until(
      [&] {
        publisher->poll(20ms);
        rest = rest.subspan(publisher->publish(rest));
        auto polled = consumer->poll(40, 20ms);
        ASSERT_TRUE(polled);
        ASSERT_FALSE(polled->reassigned);
        if (polled->records.empty()) return;
        const std::vector<LogPosition> next = {{0, polled->records.back().offset + 1}};
        for (LogRecord& record : polled->records) records.push_back(std::move(record));
        consumer->committed(next);
      },
      [&] { return records.size() >= sent.size(); });
  EXPECT_EQ(issued(records), sent);
}

TEST_P(EventLogContract, AReassignmentIsRepeatedUntilItIsAnswered) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 3)), 3u);
  settle(*publisher);
  const auto consumer = log_.consumer();
  int reports = 0;
  until(
      [&] {
        const auto polled = consumer->poll(10, 20ms);
        ASSERT_TRUE(polled);
        EXPECT_TRUE(polled->records.empty());
        if (!polled->reassigned) return;
        EXPECT_EQ(polled->partitions, std::vector<std::int32_t>{0});
        ++reports;
      },
      [&] { return reports >= 3; });
  ASSERT_TRUE(consumer->start_at({}));
  EXPECT_EQ(issued(read(*consumer, 3)), events("x", 1, 3));
}

TEST_P(EventLogContract, AnotherConsumerResumesAtThePositionItIsGiven) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 20)), 20u);
  settle(*publisher);
  {
    const auto first = log_.consumer();
    assign(*first, {});
    read(*first, 12);
    const std::vector<LogPosition> saved = {{0, 7}};
    first->committed(saved);
  }
  const auto second = log_.consumer();
  assign(*second, {{0, 7}});
  const auto records = read(*second, 13);
  EXPECT_EQ(records.front().offset, 7);
  EXPECT_EQ(issued(records), events("x", 8, 20));
}

TEST_P(EventLogContract, AConsumerMayStartAgainAtAnEarlierPosition) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 10)), 10u);
  settle(*publisher);
  const auto consumer = log_.consumer();
  assign(*consumer, {});
  read(*consumer, 10);
  const std::vector<LogPosition> earlier = {{0, 4}};
  ASSERT_TRUE(consumer->start_at(earlier));
  EXPECT_EQ(issued(read(*consumer, 6)), events("x", 5, 10));
}

TEST_P(EventLogContract, APositionOfAPartitionThatIsNotOwnedIsIgnored) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 5)), 5u);
  settle(*publisher);
  const auto consumer = log_.consumer();
  assign(*consumer, {{3, 100}, {0, 2}});
  EXPECT_EQ(issued(read(*consumer, 3)), events("x", 3, 5));
}

TEST_P(EventLogContract, AnEmptyLogIsPolledInPeace) {
  const auto consumer = log_.consumer();
  assign(*consumer, {});
  const auto polled = consumer->poll(10, 50ms);
  ASSERT_TRUE(polled);
  EXPECT_FALSE(polled->reassigned);
  EXPECT_TRUE(polled->records.empty());
}

TEST_P(EventLogContract, ARecordOfTheLastPollCanBeDeadLettered) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 3)), 3u);
  settle(*publisher);
  const auto consumer = log_.consumer();
  assign(*consumer, {});
  const auto first = read(*consumer, 1);
  EXPECT_TRUE(dead_letter(*consumer, first[0], "coupon_not_found"));
  EXPECT_EQ(issued(read(*consumer, 2)), events("x", 2, 3));
}

TEST_P(EventLogContract, ARecordThatIsKeptCanBeDeadLetteredAfterLaterPolls) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 4)), 4u);
  settle(*publisher);
  const auto consumer = log_.consumer();
  assign(*consumer, {});
  const auto first = read(*consumer, 2);
  const std::vector<const LogRecord*> second = {&first[1]};
  const std::size_t bytes = consumer->keep(second);
  EXPECT_EQ(consumer->keep(second), 0u) << "it is kept already";
  EXPECT_EQ(issued(read(*consumer, 2)), events("x", 3, 4));
  EXPECT_TRUE(dead_letter(*consumer, first[1], "coupon_not_found"));
  EXPECT_EQ(consumer->let_go(first[1]), bytes);
  EXPECT_EQ(consumer->let_go(first[1]), 0u);
}

TEST_P(EventLogContract, NamesAndHealth) {
  const auto publisher = log_.publisher();
  const auto consumer = log_.consumer();
  EXPECT_TRUE(publisher->check());
  EXPECT_FALSE(consumer->group().empty());
  EXPECT_FALSE(consumer->topic().empty());
  const auto other = GetParam().make();
  EXPECT_NE(other.consumer()->topic(), consumer->topic());
}

TEST(MemoryLog, ConfirmsAtOnceAndDoesNotOutliveTheProcess) {
  MemoryLog log;
  const auto publisher = log.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 3)), 3u);
  EXPECT_EQ(publisher->in_flight(), 0u);
  EXPECT_EQ(publisher->poll(0ms).confirmed, (std::vector<Watermark>{{"x", 3, 4}}));
  EXPECT_FALSE(publisher->durable());
}

TEST(MemoryLog, RoomComesFromWhatIsCommittedOnly) {
  MemoryLog log({.events_max = 2});
  const auto publisher = log.publisher();
  const auto consumer = log.consumer();
  assign(*consumer, {});
  ASSERT_EQ(publisher->publish(events("x", 1, 3)), 2u);
  read(*consumer, 1);
  EXPECT_EQ(publisher->publish(events("x", 3, 3)), 0u);
  const std::vector<LogPosition> beyond = {{0, 2}};
  consumer->committed(beyond);  // only the first was handed out
  EXPECT_EQ(publisher->publish(events("x", 3, 4)), 1u);
  EXPECT_EQ(issued(read(*consumer, 2)), events("x", 2, 3));
}

TEST(MemoryLog, KeepsTheLatestDeadLetters) {
  MemoryLog log({.dead_letters_max = 2});
  const auto consumer = log.consumer();
  for (int sequence = 1; sequence <= 3; ++sequence) {
    ASSERT_TRUE(dead_letter(*consumer, {0, sequence - 1, event("x", sequence)}, "sold_out"));
  }
  const auto letters = log.dead_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].record.offset, 1);
  EXPECT_EQ(letters[1].record.offset, 2);
  EXPECT_EQ(letters[1].reason, "sold_out");
}

TEST(MemoryLog, ASecondConsumerAborts) {
  MemoryLog log;
  const auto consumer = log.consumer();
  EXPECT_DEATH(log.consumer(), "");
}

TEST(MemoryLog, AConsumerWaitsForAnotherThreadsEvents) {
  MemoryLog log;
  const auto consumer = log.consumer();
  assign(*consumer, {});
  std::thread writer([publisher = log.publisher()] {
    for (Sequence sequence = 1; sequence <= 1'000; ++sequence)
      publisher->publish(events("x", sequence, sequence));
  });
  EXPECT_EQ(issued(read(*consumer, 1'000)), events("x", 1, 1'000));
  writer.join();
}

}  // namespace
}  // namespace seonchak
