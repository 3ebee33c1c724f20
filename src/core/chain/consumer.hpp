#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/health.hpp"
#include "base/log_limit.hpp"
#include "base/metrics.hpp"
#include "core/catalog/catalog.hpp"
#include "core/chain/backoff.hpp"
#include "core/chain/bare_requests.hpp"
#include "core/chain/batch_saver.hpp"
#include "core/chain/consume_batch.hpp"
#include "core/chain/held_back.hpp"
#include "core/chain/repair.hpp"
#include "core/chain/waiting_records.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

struct ConsumerOptions {
  std::size_t batch_records_max = 4'000;  ///< per transaction; the log may bound their bytes, too
  std::chrono::milliseconds gather{50};   ///< the least time between two transactions, unless the batch is
                                          ///< full or a coupon's users wait for the store
  BackoffOptions backoff{};               ///< between tries of the store, the gate or the log
  WaitingLimits waiting{};                ///< at them no more is read until something that waits is settled
  /// While there is nothing to do, or something waits: whether the store's position has fallen back, and what
  /// was saved with it.
  std::chrono::milliseconds compare_period{5'000};
  std::chrono::milliseconds stalled_after{10'000};  ///< a batch that waits for so long is told to Health,
                                                    ///< and so is a partition that cannot be read on
  std::chrono::milliseconds tell_again{1'000};      ///< what it is told is repeated after this
  RepairOptions repair{};
  BareRequestOptions bare{};
};

/// Moves events from the log into the store. Rows and the log position are one transaction, so a crash at any
/// point repeats work and loses none; then the outbox is trimmed.
///
/// A record that can never be saved goes to the dead-letter topic before the position moves past it. An
/// outage of the store or the log is waited out, never dead-lettered.
///
/// An issued event waits for no gate. One of an epoch before its coupon's was decided by a gate whose state
/// was lost: it is kept as a late claim, in the transaction that moves the position, until whoever recovers
/// decides it.
///
/// A bare request (a message of the origin's form, which nobody has decided) is decided by the gate here:
/// issued, it comes back through the outbox with its sequence; refused, it is dead-lettered with the decision
/// as the reason. A gate that is there and cannot be used for its coupon (gate_unusable) is a refusal, and so
/// is a full outbox (outbox_full).
///
/// What must wait holds up nothing else: rows of a coupon that the store does not take now, bare requests
/// that their gate does not decide, records that the dead-letter topic does not take. They are set aside and
/// tried again, and the log is read on. Meanwhile rows are saved without the position, which moves over the
/// batches from the front that are wholly settled: a crash repeats the others.
///
/// A state machine without I/O or sleep of its own: everything outside is a port. Used from one thread.
class Consumer {
 public:
  Consumer(EventConsumer& log, Store& store, Outbox& outbox, GateControl& gate, CatalogReader& catalog,
           Watermarks& watermarks, Metrics& metrics, Health& health, ConsumerOptions options = {});

  /// Does one bounded thing: takes the next batch, waiting up to `wait` for its first record, or goes on with
  /// the one under way. Returns when to come again.
  std::chrono::milliseconds step(std::chrono::milliseconds wait);

  /// True when the last step found nothing to do.
  bool idle() const { return idle_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  void poll(std::chrono::milliseconds wait);
  std::optional<std::vector<LogRecord>> read(std::size_t records_max, std::chrono::milliseconds wait);
  void compare_position();
  void resume_from_store();
  void resume();
  bool try_again();
  std::chrono::milliseconds read_on(std::chrono::milliseconds wait);
  void go_on();
  bool sort();
  void send_letters();
  void save(bool all_tried);
  void put_away();
  void move_position();
  bool somebody_waits();
  void after_commit(const SaveBatch& rows);
  void handled(const IssuedEvent& event);
  void raise(const Watermark& watermark);
  void rejected(const IssuedEvent& event);
  void tell_rejected();
  std::vector<Watermark> unmarked() const;
  void raise_persisted();
  void repair();
  TimePoint next_try();
  void hold(std::string_view what, const Error& error);
  void log_wait(const std::string& what, const Error& error);
  void progressed();
  void log_left_out();
  void tell_health();
  std::chrono::milliseconds until(TimePoint time) const;
  static std::chrono::milliseconds since(TimePoint time);

  EventConsumer& log_;
  Outbox& outbox_;
  Store& store_;
  CatalogReader& catalog_;
  Watermarks& watermarks_;
  Health& health_;
  const ConsumerOptions options_;

  BareRequests bare_;
  BatchSaver saver_;
  Repair repair_;

  WaitingRecords waiting_;
  HeldBack held_back_;

  BatchSaver::Positions position_;
  std::optional<ConsumeBatch> batch_;  // under way
  bool polled_ = false;                // it is of the last poll, and was not set aside before
  bool tried_again_ = false;           // the last batch was not
  std::optional<std::vector<std::int32_t>> to_resume_;   // partitions to be started at the store's positions
  std::unordered_map<std::string, Watermark> unmarked_;  // committed, the gate not yet told
  // The gate not yet told of them; before it is, nothing is raised past them.
  std::map<std::pair<std::string, Epoch>, RejectedSequences> rejected_;
  TimePoint next_poll_{};
  TimePoint next_compare_{};
  Backoff store_and_log_;   // without them nothing goes on
  Backoff position_alone_;  // its row is held
  std::string waits_for_;   // without which nothing goes on; logged once
  std::string position_waits_for_;
  std::optional<TimePoint> stuck_since_;
  std::optional<std::string> told_stalled_;  // "": told that all is well
  TimePoint tell_again_at_{};
  LogLimit log_limit_;
  bool idle_ = false;
  bool log_is_quiet_ = false;

  Counter& saved_;
  Counter& dead_letters_;
  Counter& retries_;
  Gauge& stalled_seconds_;
  Gauge& waiting_records_;
  Gauge& partitions_;
};

}  // namespace seonchak
