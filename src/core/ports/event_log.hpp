#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// One issued coupon, on its way from the gate to the store.
struct IssuedEvent {
  std::string coupon_id;
  std::string user_id;
  Sequence sequence = 0;
  Time issued_at{};
  Epoch epoch = 0;  ///< 0 when the message does not say

  bool operator==(const IssuedEvent&) const = default;
};

/// The origin's own message: a user asked, nobody has decided yet.
struct BareRequest {
  std::string coupon_id;
  std::string user_id;

  bool operator==(const BareRequest&) const = default;
};

/// A message that can never be understood.
struct Malformed {
  std::string reason;

  bool operator==(const Malformed&) const = default;
};

using Message = std::variant<IssuedEvent, BareRequest, Malformed>;

struct LogRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Message message;
};

/// The next offset to read of a partition.
struct LogPosition {
  std::int32_t partition = 0;
  std::int64_t next_offset = 0;
  std::string fingerprint{};  ///< of the record before it: EventConsumer::fingerprint; "" when not known

  bool operator==(const LogPosition&) const = default;
};

/// Writes issued coupons to the log. Used from one thread.
class EventPublisher {
 public:
  virtual ~EventPublisher() = default;

  /// Queues events, in order, and returns how many were taken: fewer than given when the bounded queue is
  /// full, or that share of it which the next one's coupon may have.
  virtual std::size_t publish(std::span<const IssuedEvent> events) = 0;

  struct Report {
    std::vector<Watermark>
        confirmed;  ///< per coupon: every event up to this sequence that was queued is in the log
    bool lost =
        false;  ///< what was queued and not confirmed is gone: publish it again, from the last watermark
  };

  /// Waits up to `wait` for news of queued events.
  virtual Report poll(std::chrono::milliseconds wait) = 0;

  /// Events queued and neither confirmed nor lost.
  virtual std::size_t in_flight() const = 0;

  /// Whether a confirmed event outlives this process.
  virtual bool durable() const = 0;

  /// Whether the log answers.
  virtual Result<void> check() = 0;
};

/// Asks the log whether it answers, on a connection of its own. Used from one thread.
class EventLogProbe {
 public:
  virtual ~EventLogProbe() = default;
  virtual Result<void> check() = 0;
};

/// Reads the log on its own, outside the consumer group: a part at a time, from where it is started to an end
/// that may be raised meanwhile. Used from one thread.
class EventLogTail {
 public:
  virtual ~EventLogTail() = default;

  /// Where each partition ends now: the offset of the next record. Errors: unavailable.
  virtual Result<std::vector<LogPosition>> ends() = 0;

  /// Begins a reading, and ends the one before. A partition that is not named is read from its beginning, and
  /// so is one whose position lies outside the log. Errors: unavailable.
  virtual Result<void> start(std::span<const LogPosition> positions) = 0;

  struct Part {
    std::vector<IssuedEvent> events;  ///< in the log's order within a partition; other messages are left out
    bool at_end = false;              ///< everything before `ends` has been read
    bool advanced = false;            ///< something was read since the part before, if only what is left out
  };

  /// The next part of what lies before `ends`, perhaps a little more: of at most `records_max` records, after
  /// at most `wait`. A partition that is not named in `ends` is not waited for. Errors: unavailable; the
  /// reading goes on with the next call.
  virtual Result<Part> read(std::span<const LogPosition> ends, std::size_t records_max,
                            std::chrono::milliseconds wait) = 0;

  /// Ends the reading and gives back what it holds, connections included.
  virtual void stop() = 0;

  /// Under which names the store keeps the positions.
  virtual const std::string& group() const = 0;
  virtual const std::string& topic() const = 0;
};

/// A record that can never be handled, and why.
struct RefusedRecord {
  const LogRecord* record = nullptr;
  std::string reason;
};

/// Reads the log as a member of a consumer group. Used from one thread.
class EventConsumer {
 public:
  virtual ~EventConsumer() = default;

  struct Polled {
    bool reassigned = false;               ///< `partitions` is new: call start_at before the next poll
    std::vector<std::int32_t> partitions;  ///< the partitions this member owns now, when reassigned
    std::vector<LogRecord> records;        ///< in offset order within a partition; empty when reassigned
  };

  /// Waits up to `wait` for up to `records_max` records. With 0 nothing is read, and the membership in the
  /// group lives on: the others may be waiting for this member.
  virtual Result<Polled> poll(std::size_t records_max, std::chrono::milliseconds wait) = 0;

  /// Where to read each partition just assigned; one that is not named starts at its beginning, and so does
  /// one whose record before the position is not the one of the fingerprint: that log was made anew.
  virtual Result<void> start_at(std::span<const LogPosition> positions) = 0;

  /// What tells a record of the last poll from any other that a log made anew may have at its offset; to be
  /// kept with the position behind it. "" when there is nothing to tell.
  virtual std::string fingerprint(const LogRecord& record) = 0;

  /// Keeps records of the last poll, in its order, for dead_letter(), until let_go() or the next start_at().
  /// Returns how many bytes more this takes.
  virtual std::size_t keep(std::span<const LogRecord* const> records) = 0;

  /// Gives back what keep() took for a record. Returns how many bytes that were.
  virtual std::size_t let_go(const LogRecord& record) = 0;

  /// Writes records of the last poll, or kept ones, to the dead-letter topic, with the reasons, and waits
  /// shortly for the acknowledgements of all. After an error some may have been written, and others may be on
  /// their way; repeating the call is harmless, and asks for these first.
  virtual Result<void> dead_letter(std::span<const RefusedRecord> refused) = 0;

  /// Tells the log how far the store has come, for its lag tools; the truth stays in the store.
  virtual void committed(std::span<const LogPosition> positions) = 0;

  enum class Reach {
    unknown,   ///< another member reads it, or this one has not come to its end, or cannot tell
    to_end,    ///< all of it
    held_back  ///< all that can be read: behind that begins a transaction of somebody else that is open
  };

  /// How far this member has read what the log has of a coupon. May ask the log, which can take a second when
  /// that does not answer.
  virtual Reach reach(const std::string& coupon_id) = 0;

  /// The partitions of this member that were read as far as they can be, and have more: somebody else's
  /// transaction is open. Each with the offset at which that begins. Asks nobody.
  virtual std::vector<LogPosition> held_back() = 0;

  /// Under which names the store keeps the positions.
  virtual const std::string& group() const = 0;
  virtual const std::string& topic() const = 0;
};

}  // namespace seonchak
