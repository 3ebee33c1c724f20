#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/health.hpp"
#include "base/metrics.hpp"
#include "core/catalog/catalog.hpp"
#include "core/chain/bare_requests.hpp"
#include "core/chain/batch_saver.hpp"
#include "core/chain/consume_batch.hpp"
#include "core/chain/repair.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

struct ConsumerOptions {
  std::size_t batch_records_max = 4'000;  ///< per transaction; the log may bound their bytes, too
  std::chrono::milliseconds gather{50};   ///< the least time between two transactions, unless the batch is
                                          ///< full or a coupon's users wait for the store
  std::chrono::milliseconds backoff_min{50};  ///< between tries of the store, the gate or the log
  std::chrono::milliseconds backoff_max{2'000};
  /// While there is nothing to do: whether the store's position has fallen back, and what was saved with it.
  std::chrono::milliseconds compare_period{5'000};
  std::chrono::milliseconds stalled_after{10'000};  ///< a batch that waits for so long is told to Health
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
/// as the reason. While the gate is away it waits, and with it the position, but no issued event of its
/// batch. A gate that is there and cannot be used for its coupon (gate_unusable) is a refusal, and so is a
/// full outbox (outbox_full).
///
/// What must wait holds up nothing else: rows that cannot be saved now, because somebody holds their coupon's
/// row, are left for later, and the others saved without the position.
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
  struct Hold {
    TimePoint retry_at;
    std::chrono::milliseconds backoff;  // the next one
  };

  void poll(std::chrono::milliseconds wait);
  void compare_position();
  void resume_from_store();
  void resume();
  void go_on();
  bool sort();
  bool send_letters();
  void save();
  bool somebody_waits();
  void after_commit(const SaveBatch& rows);
  void handled(const IssuedEvent& event);
  void raise(const Watermark& watermark);
  std::vector<Watermark> unmarked() const;
  void raise_persisted();
  void repair();
  void hold(Hold& held, std::string_view what, const Error& error);
  void progressed();
  void tell_health();
  std::chrono::milliseconds until(TimePoint time) const;

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

  BatchSaver::Positions position_;
  std::optional<ConsumeBatch> batch_;                    // under way
  std::optional<std::vector<std::int32_t>> to_resume_;   // partitions to be started at the store's positions
  std::unordered_map<std::string, Watermark> unmarked_;  // committed, the gate not yet told
  TimePoint next_poll_{};
  TimePoint next_compare_{};
  Hold store_and_log_;     // without them nothing goes on
  Hold outside_;           // the gate and the dead-letter topic: only the position waits for them
  std::string waits_for_;  // what is logged once
  std::optional<TimePoint> stuck_since_;
  std::optional<bool> told_stalled_;
  bool idle_ = false;

  Counter& saved_;
  Counter& dead_letters_;
  Counter& retries_;
  Gauge& stalled_seconds_;
};

}  // namespace seonchak
