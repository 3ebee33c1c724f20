#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/ports/event_log.hpp"

namespace seonchak {

struct MemoryLogOptions {
  std::size_t events_max = 65'536;       ///< queued events that the consumer has not committed
  std::size_t dead_letters_max = 1'000;  ///< the oldest is forgotten first
  std::string group = "coupon";
};

/// The event log of a process that runs alone: a bounded queue with the one partition 0.
///
/// Events stay until EventConsumer::committed passes them, so a consumer may start again at an earlier
/// position; that call is what makes room, and it is therefore needed here. Offsets start at 0 and the
/// topic's name is new with every MemoryLog, so that a position the store kept of an earlier life never fits.
///
/// Publishers and the consumer may run in different threads, and may outlive the MemoryLog. publish() never
/// blocks; poll() of a publisher waits only while the queue is full.
class MemoryLog {
 public:
  explicit MemoryLog(MemoryLogOptions options = {});
  ~MemoryLog();

  std::unique_ptr<EventPublisher> publisher();

  /// One consumer at a time; a second one aborts.
  std::unique_ptr<EventConsumer> consumer();

  std::unique_ptr<EventLogTail> tail();

  struct DeadLetter {
    LogRecord record;
    std::string reason;
  };

  /// The latest dead letters, oldest first. Safe from any thread.
  std::vector<DeadLetter> dead_letters() const;

 private:
  struct Shared;
  class Publisher;
  class Consumer;
  class Tail;
  std::shared_ptr<Shared> shared_;
};

}  // namespace seonchak
