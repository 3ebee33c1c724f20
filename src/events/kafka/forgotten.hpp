#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "events/kafka/stalled.hpp"
#include "events/kafka/unassigned.hpp"

namespace seonchak::kafka {

/// Notices that librdkafka reads nothing, for good, of what this member of the group should read: then only a
/// new client helps. Used from one thread.
class Forgotten {
 public:
  Forgotten(const KafkaOptions& options, const Target& target, LogRanges& ranges, const Reading& reading)
      : unassigned_(options, target, ranges), stalled_(ranges, reading) {}

  /// At a moment when nothing has come that is not handed out yet: what is wrong, or empty. `reads`: false
  /// for a member that only serves its group at the moment.
  std::string_view found(rd_kafka_s* client, std::span<const std::int32_t> owned,
                         const std::map<std::int32_t, std::int64_t>& started_at, bool reads) {
    if (!reads) stalled_.forget();
    if (owned.empty())
      return unassigned_.found(client) ? "partitions of the topic belong to no member of the group" : "";
    return reads && stalled_.found(client, owned, started_at) ? "partitions have more, and nothing comes"
                                                              : "";
  }

  /// The partitions are read from other positions now.
  void started() { stalled_.forget(); }

  /// They are shared out anew.
  void rebalanced() {
    unassigned_.forget();
    stalled_.forget();
  }

 private:
  Unassigned unassigned_;
  Stalled stalled_;
};

}  // namespace seonchak::kafka
