#include <chrono>

#include <gtest/gtest.h>

#include "events/kafka/dead_letter_box.hpp"
#include "events/testing/kafka.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

TEST(KafkaLetters, ThousandsGoTogether) {
  constexpr std::size_t count = 4'000;
  const KafkaOptions options = fresh_kafka();
  std::vector<IssuedEvent> events;
  for (int i = 1; i <= int{count}; ++i) events.push_back({"1", "42", i, from_millis(1), 3});
  publish(options, events);
  const auto consumer = make_kafka_consumer(options);
  std::vector<std::string> dead;
  const auto deadline = SteadyClock::now() + 60s;
  while (dead.size() < count && SteadyClock::now() < deadline) {
    const auto polled = consumer->poll(count, 50ms);
    ASSERT_TRUE(polled);
    if (polled->reassigned) {
      ASSERT_TRUE(consumer->start_at({}));
    }
    std::vector<RefusedRecord> refused;
    for (const LogRecord& record : polled->records)
      refused.push_back({&record, "no " + std::to_string(record.offset)});
    if (refused.empty()) continue;
    ASSERT_TRUE(consumer->dead_letter(refused));
    for (const RefusedRecord& each : refused) dead.push_back(each.reason);
  }
  std::vector<std::string> found;
  for (const DeadLetter& letter : open_dead_letters(options)->unhandled(count + 1).value())
    found.push_back(letter.reason);
  EXPECT_EQ(found, dead);
}

}  // namespace
}  // namespace seonchak
