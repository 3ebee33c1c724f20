#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <span>

#include "base/ticker.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/log_ranges.hpp"
#include "events/kafka/reading.hpp"

namespace seonchak::kafka {

/// Notices a partition of which nothing comes although its leader answers that there is more: librdkafka
/// (2.0.2) may forget to fetch one whose topic was made anew. Used from one thread.
class Stalled {
 public:
  Stalled(LogRanges& ranges, const Reading& reading) : ranges_(ranges), reading_(reading) {}

  /// At a moment when nothing has come that is not handed out yet: whether one of `owned` was stalled at two
  /// looks in a row. `started_at`: where each is read from, if nothing came of it since. Looks once in
  /// look_period, and takes up to check_timeout_ms for each partition that is silent.
  bool found(rd_kafka_s* client, std::span<const std::int32_t> owned,
             const std::map<std::int32_t, std::int64_t>& started_at);

  /// The partitions are read from other positions now, or were not asked for.
  void forget();

 private:
  static constexpr std::chrono::seconds look_period{5};
  static constexpr std::chrono::seconds silence_max{10};

  struct Partition {
    std::int64_t next = 0;      // everything before it was read
    Ticker::TimePoint since{};  // as far as looks tell
    bool stalled = false;       // at the last look
  };

  bool look(rd_kafka_s* client, std::int32_t number, Partition& partition);

  LogRanges& ranges_;
  const Reading& reading_;
  std::map<std::int32_t, Partition> partitions_;
  Ticker::TimePoint next_look_ = ticker().now() + look_period;
};

}  // namespace seonchak::kafka
