#pragma once
#include <atomic>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"
#include "core/progress.hpp"
#include "core/reconcile.hpp"

namespace seonchak {

struct ConsumerOptions {
  std::size_t batch_records_max = 4'000;  ///< per transaction; the log may bound their bytes, too
  std::chrono::milliseconds gather{50};   ///< the least time between two transactions, unless the batch is
                                          ///< full or a coupon's users wait for the store
  std::chrono::milliseconds backoff_min{50};  ///< between retries of the store or the gate
  std::chrono::milliseconds backoff_max{2'000};
  std::chrono::milliseconds overdue{5'000};  ///< ReconcilerOptions::overdue
  std::chrono::milliseconds reconcile_period{
      2'000};  ///< how often marks that a crash left behind are looked for
};

/// Moves events from the log into the store. Rows and the log position are one transaction, so a crash at any
/// point repeats work and loses none; then the outbox is trimmed.
///
/// A record that can never be saved goes to the dead-letter topic before the position moves past it. An
/// outage of the store or the gate is waited out, never dead-lettered.
///
/// A bare request (a message of the origin's form, which nobody has decided) is decided by the gate here:
/// issued, it comes back through the outbox with its sequence; refused, it is dead-lettered with the decision
/// as the reason. A full outbox refuses it, too (outbox_full): only consumers empty the outbox, so one that
/// waited could wait for itself.
///
/// An event of an epoch before its coupon's was decided by a gate whose state was lost. It is saved if the
/// recovered gate knows it; if not, its user claims again, and a refusal dead-letters it as "superseded".
///
/// Logic without I/O of its own: everything outside is a port. Used from one thread, but for stop().
class Consumer {
 public:
  Consumer(EventConsumer& log, Store& store, Outbox& outbox, GateControl& gate, CatalogReader& catalog,
           ProgressBoard& board, Metrics& metrics, ConsumerOptions options = {});

  /// Polls once, waiting up to `wait`, and sees what came through to the store.
  void step(std::chrono::milliseconds wait);

  /// Makes a step that waits for an outage to end give up; what it held is read again by whoever comes next.
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

  /// True when the last step found nothing to do.
  bool idle() const { return idle_; }

 private:
  enum class Saved { yes, fenced, superseded, gave_up };

  void resume(const std::vector<std::int32_t>& partitions);
  void resume_from_store();
  void consume(const std::vector<LogRecord>& records);
  bool somebody_waits(const std::vector<LogRecord>& records);
  bool keep(const LogRecord& record, std::vector<const LogRecord*>& kept);
  bool decide_bare(const LogRecord& record, const BareRequest& request);
  std::optional<bool> coupon_known(const std::string& coupon_id);
  void refuse(const LogRecord& record, std::string reason) {
    refused_.push_back({&record, std::move(reason)});
  }
  bool send_letters();
  bool dead_letter(const LogRecord& record, const std::string& reason);
  using LastRecords = std::unordered_map<std::int32_t, const LogRecord*>;  // per partition
  Saved save(std::span<const LogRecord* const> kept, const LastRecords& last);
  Saved save_bisecting(std::span<const LogRecord* const> kept);
  using Kept = std::vector<const LogRecord*>;
  std::optional<Kept> admit(std::span<const LogRecord* const> kept);
  Result<bool> admit_late(const Coupon& coupon, std::span<const LogRecord* const> late, Kept& admitted);
  Result<bool> claim_again(const Coupon& coupon, const LogRecord& record);
  bool look_anew(const SaveBatch& batch, Kept& records);
  SaveBatch batch_of(std::span<const LogRecord* const> kept, const LastRecords& last);
  Saved commit(const SaveBatch& batch, Error& rejection);
  void save_alone(const SaveBatch& batch, std::set<std::string>& done);
  void trim_too_early(const SaveBatch& batch);
  void after_commit(const SaveBatch& batch);
  void handled(const IssuedEvent& event);
  void raise(const Mark& mark);
  std::vector<Mark> unmarked() const;
  void mark_persisted();
  void reconcile();
  bool pause(std::chrono::milliseconds& backoff, std::string_view what, const Error& error);

  EventConsumer& log_;
  Store& store_;
  Outbox& outbox_;
  GateControl& gate_;
  CatalogReader& catalog_;
  ProgressBoard& board_;
  const ConsumerOptions options_;

  std::unordered_map<std::int32_t, std::int64_t> position_;  // per partition owned: the next offset to save
  std::vector<RefusedRecord> refused_;                       // of the records under way, not yet written
  std::unordered_map<std::string, Mark> unmarked_;           // committed, the gate not yet told
  Reconciler reconciler_;
  std::chrono::steady_clock::time_point next_reconcile_{};
  std::chrono::steady_clock::time_point next_poll_{};
  std::atomic<bool> stopping_{false};
  bool idle_ = false;

  Counter& saved_;
  Counter& dead_letters_;
  Counter& late_;
  Counter& retries_;
  Histogram& commit_seconds_;
};

}  // namespace seonchak
