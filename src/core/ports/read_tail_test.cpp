#include "core/ports/read_tail.hpp"

#include <deque>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using Part = EventLogTail::Part;

/// Hands out what it was told to, and then nothing more.
class ScriptedTail final : public EventLogTail {
 public:
  Result<std::vector<LogPosition>> ends() override { return std::vector<LogPosition>{{0, 3}}; }
  Result<void> start(std::span<const LogPosition>) override { return {}; }
  Result<Part> read(std::span<const LogPosition>, std::size_t, std::chrono::milliseconds) override {
    if (parts.empty()) return Part{};
    auto part = std::move(parts.front());
    parts.pop_front();
    return part;
  }
  void stop() override { stopped = true; }
  const std::string& group() const override { return name_; }
  const std::string& topic() const override { return name_; }

  std::deque<Result<Part>> parts;
  bool stopped = false;

 private:
  const std::string name_;
};

Part part_of(Sequence sequence, bool at_end) {
  Part part;
  part.events = {{"c", "u", sequence, {}, 1}};
  part.advanced = true;
  part.at_end = at_end;
  return part;
}

struct Reading {
  Result<void> run() {
    return read_tail(tail, {}, {.records_max = 1, .wait = 1ms, .stall = 30ms},
                     [&](std::vector<IssuedEvent> events) {
                       for (const IssuedEvent& event : events) taken.push_back(event.sequence);
                       return taken.size() < taken_max;
                     });
  }
  ScriptedTail tail;
  std::vector<Sequence> taken;
  std::size_t taken_max = 100;
};

TEST(ReadTail, GoesOnAfterATrouble) {
  Reading reading;
  reading.tail.parts.emplace_back(part_of(1, false));
  reading.tail.parts.emplace_back(Error{Errc::unavailable, "replaced"});
  reading.tail.parts.emplace_back(part_of(2, true));
  EXPECT_TRUE(reading.run());
  EXPECT_EQ(reading.taken, (std::vector<Sequence>{1, 2}));
  EXPECT_TRUE(reading.tail.stopped);
}

TEST(ReadTail, GivesUpOnALogThatGetsNoFurther) {
  Reading reading;
  reading.tail.parts.emplace_back(part_of(1, false));
  const auto read = reading.run();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::unavailable);
  EXPECT_TRUE(reading.tail.stopped);
}

TEST(ReadTail, StopsWhenNobodyWantsMore) {
  Reading reading;
  reading.taken_max = 1;
  reading.tail.parts.emplace_back(part_of(1, false));
  reading.tail.parts.emplace_back(part_of(2, true));
  EXPECT_TRUE(reading.run());
  EXPECT_EQ(reading.taken.size(), 1U);
}

}  // namespace
}  // namespace seonchak
