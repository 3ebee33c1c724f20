#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/ports/event_log.hpp"

namespace seonchak::sim {

struct MemoryLogOptions {
  std::int32_t partitions = 1;
  std::size_t queue_events_max = 1'000;  ///< of each publisher
  bool durable = true;                   ///< what publishers say of themselves
  std::string group = "coupon";
};

/// An event log in memory that outlives simulated processes, as a broker does: partitions, a consumer group
/// whose members come and go, publishers with a queue of their own. The event log's contract tests hold it to
/// what Kafka does. Safe from any thread.
class MemoryLog {
 public:
  explicit MemoryLog(MemoryLogOptions options = {});
  ~MemoryLog();

  /// Queues; poll() brings everything queued to the log. What is queued when it is destroyed is lost.
  std::unique_ptr<EventPublisher> publisher();

  /// A member of the group, from here to its destruction.
  std::unique_ptr<EventConsumer> consumer();

  std::unique_ptr<EventLogTail> tail();

  /// Takes all partitions from the longest-standing member until its next poll, as when its session times
  /// out.
  void expel_a_member();

  /// The log ends, with all it has, and begins anew under another name.
  void lose_everything();

  /// Appends at once, as a broker does with what a dead process had sent.
  void append(const std::vector<IssuedEvent>& events);

  /// All records, partition by partition.
  std::vector<LogRecord> records() const;

  struct DeadLetter {
    LogRecord record;
    std::string reason;
  };
  std::vector<DeadLetter> dead_letters() const;

 private:
  struct Shared;
  class Publisher;
  class Consumer;
  class Tail;
  std::shared_ptr<Shared> shared_;
};

}  // namespace seonchak::sim
