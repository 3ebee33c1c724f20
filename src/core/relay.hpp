#pragma once
#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog.hpp"
#include "core/health.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/progress.hpp"

namespace seonchak {

struct RelayOptions {
  std::string owner;                            ///< unique per relay: names it in the leases
  std::chrono::milliseconds lease_ttl{3'000};   ///< how long a dead relay's coupons stand still
  std::chrono::milliseconds lease_period{600};  ///< renewal; also how soon a new coupon is noticed
  std::size_t entries_max = 256;                ///< outbox entries read per coupon and step
  std::chrono::milliseconds gather{25};         ///< the least time between two reads that found something,
                                                ///< unless one did not find all there was, or a coupon's
                                                ///< users wait for the log or the store
  std::size_t in_flight_events_max = 100'000;   ///< queued for the log and not confirmed
  std::chrono::milliseconds backoff{200};       ///< after an error of the gate or the log
};

/// Moves issued coupons from the outbox to the event log, in the order of their sequence: at least once,
/// never skipping. It leases each coupon, so that usually one relay serves it; two at once only write some
/// events twice.
///
/// Logic without I/O of its own: everything outside is a port. Used from one thread.
class Relay {
 public:
  Relay(Outbox& outbox, EventPublisher& publisher, CatalogReader& catalog, ProgressBoard& board,
        Metrics& metrics, Health& health, RelayOptions options);

  /// Does what there is to do and waits up to `wait` when there is nothing.
  void step(std::chrono::milliseconds wait);

  /// True when the last step found the outbox empty and the log has confirmed everything read from it.
  bool drained() const { return idle_ && publisher_.in_flight() == 0; }

  /// Gives the leases back, so that another relay need not wait for them to run out.
  void release();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Position {
    std::int64_t read = 0;       // last sequence handed to the publisher, or waiting in backlog_
    std::int64_t confirmed = 0;  // last sequence in the log
    std::int64_t marked = 0;     // last sequence the gate knows is in the log
    std::int64_t epoch = 0;      // what the sequences belong to
  };

  Result<void> renew_leases();
  std::vector<std::string> changed_since_asked(const CatalogSnapshot& catalog);
  void adopt(const std::vector<std::string>& asked, const std::vector<std::string>& owned,
             const PerCoupon<Outbox::Progress>& progress);
  void take_report(std::chrono::milliseconds wait);
  void rewind();
  Result<void> mark_confirmed();
  Result<std::size_t> read_outbox(std::chrono::milliseconds wait);
  void leave_out(std::span<const Mark> asked, const std::vector<CouponFailure>& failed);
  void publish_backlog();
  void check_log();
  void back_off(const Error& error);

  Outbox& outbox_;
  EventPublisher& publisher_;
  CatalogReader& catalog_;
  ProgressBoard& board_;
  Health& health_;
  const RelayOptions options_;

  std::unordered_map<std::string, Position> positions_;    // the coupons leased
  std::vector<IssuedEvent> backlog_;                       // read, not yet taken by the publisher
  std::unordered_map<std::string, TimePoint> unreadable_;  // until when they are left out
  TimePoint next_lease_{};
  std::uint64_t leased_version_ = 0;                     // of the catalog, when leases were last asked for
  std::unordered_map<std::string, std::int64_t> asked_;  // the coupons then, at which revision
  TimePoint next_check_{};
  TimePoint next_read_{};
  bool idle_ = false;

  Counter& published_;
  Counter& replays_;
};

}  // namespace seonchak
