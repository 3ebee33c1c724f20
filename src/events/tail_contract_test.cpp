#include <chrono>

#include <gtest/gtest.h>

#include "events/testing/event_log_contract.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

class EventLogTailContract : public EventLogContract {};

INSTANTIATE_TEST_SUITE_P(Twins, EventLogTailContract,
                         testing::Values(Twin{"Memory", memory_log}, Twin{"Simulated", simulated_log},
                                         Twin{"Kafka", kafka_log}),
                         [](const auto& info) { return std::string(info.param.name); });

/// A topic just made may have no leader yet.
std::vector<LogPosition> begin_tail(EventLogTail& tail, const std::vector<LogPosition>& positions) {
  until([] {}, [&] { return tail.start(positions).has_value(); });
  return tail.ends().value();
}

/// Up to these ends.
std::vector<IssuedEvent> read_tail(EventLogTail& tail, const std::vector<LogPosition>& ends,
                                   std::size_t records_max = 100) {
  std::vector<IssuedEvent> found;
  bool at_end = false;
  until(
      [&] {
        const auto part = tail.read(ends, records_max, 50ms).value();
        EXPECT_LE(part.events.size(), records_max);
        EXPECT_TRUE(part.advanced || part.events.empty());
        found.insert(found.end(), part.events.begin(), part.events.end());
        at_end = part.at_end;
      },
      [&] { return at_end; });
  return found;
}

std::vector<IssuedEvent> read_tail_from(EventLogTail& tail, const std::vector<LogPosition>& positions) {
  return read_tail(tail, begin_tail(tail, positions));
}

TEST_P(EventLogTailContract, TheTailReadsFromThePositionsToTheEnd) {
  const auto tail = log_.tail();
  EXPECT_TRUE(read_tail_from(*tail, {}).empty());
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 5)), 5U);
  settle(*publisher);
  EXPECT_EQ(read_tail_from(*tail, {}), events("x", 1, 5)) << "a partition never saved is read whole";
  EXPECT_EQ(read_tail_from(*tail, {{0, 2}}), events("x", 3, 5));
  EXPECT_TRUE(read_tail_from(*tail, {{0, 5}}).empty());
  EXPECT_EQ(read_tail_from(*tail, {{0, 6}}), events("x", 1, 5)) << "a position outside is another log's";
  EXPECT_EQ(tail->topic(), log_.consumer()->topic());
}

TEST_P(EventLogTailContract, TheTailIsReadInParts) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 50)), 50U);
  settle(*publisher);
  const auto tail = log_.tail();
  const auto ends = begin_tail(*tail, {});
  EXPECT_EQ(read_tail(*tail, ends, 7), events("x", 1, 50));
  const auto after = tail->read(ends, 7, 20ms).value();
  EXPECT_TRUE(after.at_end);
  EXPECT_FALSE(after.advanced);
}

TEST_P(EventLogTailContract, TheTailsEndMayBeRaised) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 5)), 5U);
  settle(*publisher);
  const auto tail = log_.tail();
  EXPECT_EQ(read_tail(*tail, begin_tail(*tail, {})), events("x", 1, 5));
  ASSERT_EQ(publisher->publish(events("x", 6, 9)), 4U);
  settle(*publisher);
  EXPECT_EQ(read_tail(*tail, tail->ends().value()), events("x", 6, 9));
}

TEST_P(EventLogTailContract, ATailThatGetsNoFurtherSaysSo) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 5)), 5U);
  settle(*publisher);
  const auto tail = log_.tail();
  EXPECT_EQ(read_tail(*tail, begin_tail(*tail, {})), events("x", 1, 5));
  const std::vector<LogPosition> beyond = {{0, 6}};
  const auto began = SteadyClock::now();
  const auto part = tail->read(beyond, 100, 50ms).value();
  EXPECT_FALSE(part.at_end);
  EXPECT_FALSE(part.advanced);
  EXPECT_LT(SteadyClock::now() - began, 5s);
}

TEST_P(EventLogTailContract, ATailThatWasStoppedCanBeStartedAgain) {
  const auto publisher = log_.publisher();
  ASSERT_EQ(publisher->publish(events("x", 1, 5)), 5U);
  settle(*publisher);
  const auto tail = log_.tail();
  EXPECT_EQ(read_tail_from(*tail, {}), events("x", 1, 5));
  tail->stop();
  EXPECT_EQ(read_tail_from(*tail, {{0, 3}}), events("x", 4, 5));
}

}  // namespace
}  // namespace seonchak
