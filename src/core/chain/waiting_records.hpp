#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/chain/backoff.hpp"
#include "core/chain/consume_batch.hpp"
#include "core/ports/event_log.hpp"

namespace seonchak {

struct WaitingLimits {
  std::size_t records_max = 200'000;
  std::size_t bytes_max = 128 * 1024 * 1024;  ///< of what the log keeps of them
};

/// The records that were read and must wait, and where the batches that they came from end. The position may
/// move over the batches from the front of which nothing waits.
///
/// Records wait coupon by coupon, in the log's order: events for the store, bare requests for the gate, and
/// refused ones for the dead-letter topic. Some of them are taken out as a batch, tried, and what is left of
/// it is given back.
///
/// Used from one thread.
class WaitingRecords {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Due = std::function<TimePoint(const std::string& coupon_id)>;

  WaitingRecords(EventConsumer& log, WaitingLimits limits, BackoffOptions backoff)
      : log_(log), limits_(limits), backoff_(backoff) {}

  /// No batch is waited for.
  bool empty() const { return parts_.empty(); }
  bool full() const { return records_ >= limits_.records_max || bytes_ >= limits_.bytes_max; }
  std::size_t records() const { return records_; }

  bool rows_wait(const std::string& coupon_id) const { return rows_.contains(coupon_id); }
  bool bare_wait(const std::string& coupon_id) const { return bare_.contains(coupon_id); }

  /// Whether an event of the coupon is still on its way to the store or the dead-letter topic.
  bool waits(const std::string& coupon_id) const;

  /// When the oldest batch was polled, of which something waits.
  std::optional<TimePoint> since() const;

  /// What is waited for, in words.
  std::string why() const;

  /// Marks what must wait behind earlier records of its coupon.
  void hold_back(ConsumeBatch& batch) const;

  /// The store does not take this coupon's rows now, the gate does not decide bare requests, or the topic
  /// takes no letters. True when it did so far, or there was another reason.
  /// It `took` so long to fail: what takes long is tried again seldom, and with fewer rows at a time.
  bool rows_refused(const std::string& coupon_id, const std::string& why, std::chrono::milliseconds took);
  bool bare_refused(const std::string& why) { return std::exchange(bare_why_, why) != why; }
  bool letters_refused(const std::string& why, std::chrono::milliseconds took);

  /// The store rejects so many of this coupon's rows that the others have a turn before it goes on.
  void rows_put_off(const std::string& coupon_id, const std::string& why) { rows_[coupon_id].why = why; }

  /// Whether letters may be tried now.
  bool letters_due() const { return letters_backoff_.retry_at() <= ticker().now(); }
  void letters_taken() { letters_backoff_.succeed(), letters_why_.clear(); }

  /// What is left of a batch of the last poll.
  void set_aside(ConsumeBatch&& batch);

  /// The earliest time at which something is to be tried again; nothing when nothing waits. `bare_due` says
  /// it of bare requests.
  std::optional<TimePoint> due(const Due& bare_due) const;

  /// Takes out what is due, at most `records_max`; nothing when nothing is. To be given back before the next
  /// call of any kind.
  std::optional<ConsumeBatch> take_due(const Due& bare_due, std::size_t records_max);
  void give_back(ConsumeBatch&& batch);

  /// Where the position may move to, per partition; nothing when it may not.
  const std::map<std::int32_t, LogPosition>* settled() const;
  void moved() { parts_.pop_front(); }

  void clear();

 private:
  struct Waiting {
    LogRecord record;
    std::uint64_t batch = 0;
    std::string reason;  // of a letter
  };
  static constexpr std::size_t all_at_once = 1 << 20;
  struct Queue {
    std::deque<Waiting> records;
    Backoff backoff;
    std::string why;
    std::size_t at_once = all_at_once;  // so many are taken out
  };
  using Queues = std::map<std::string, Queue>;
  struct Part {
    std::uint64_t last_batch = 0;
    std::size_t open = 0;
    TimePoint since;
    std::map<std::int32_t, LogPosition> ends;
  };

  static constexpr std::size_t parts_max = 1'000;
  static constexpr std::chrono::milliseconds slow{1'000};
  static constexpr std::size_t after_a_slow_one = 1'000;

  Part& part_of(std::uint64_t batch);
  void merge_settled();
  void put(LogRecord&& record, Fate fate, std::uint64_t batch, std::string reason, bool front);
  std::size_t take(std::deque<Waiting>& from, std::size_t most);
  ConsumeBatch taken();

  EventConsumer& log_;
  const WaitingLimits limits_;
  const BackoffOptions backoff_;
  Queues rows_;
  Queues bare_;
  std::deque<Waiting> letters_;
  Backoff letters_backoff_;
  std::string letters_why_;
  std::string bare_why_;
  std::deque<Part> parts_;  // in the order of their batches
  std::uint64_t last_batch_ = 0;
  std::size_t records_ = 0;
  std::size_t bytes_ = 0;
  // Of what is taken out:
  std::vector<LogRecord> out_;
  std::vector<std::uint64_t> out_batches_;
  std::vector<std::string> out_reasons_;
  std::string out_coupon_;  // when they are rows
};

}  // namespace seonchak
