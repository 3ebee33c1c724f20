#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "core/ports/event_log.hpp"

namespace seonchak {

/// For how long the partitions that the log holds back have not been read on. Used from one thread.
class HeldBack {
 public:
  struct Longest {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::chrono::nanoseconds waited{0};
  };

  /// `now`: what EventConsumer::held_back says. Of these, the one that has been at its offset longest.
  std::optional<Longest> longest(std::span<const LogPosition> now);

 private:
  struct Since {
    std::int64_t offset = 0;
    std::chrono::steady_clock::time_point time{};
  };
  std::map<std::int32_t, Since> since_;
};

}  // namespace seonchak
