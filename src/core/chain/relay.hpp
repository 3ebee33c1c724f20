#pragma once
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/health.hpp"
#include "base/metrics.hpp"
#include "core/catalog/catalog.hpp"
#include "core/chain/relay_leases.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

struct RelayOptions {
  RelayLeasesOptions leases{};
  std::size_t entries_max = 256;  ///< outbox entries read per coupon and step

  /// The longest that one read waits, so that a new coupon does not wait long behind it. 0 where everything
  /// is claimed in this process: then Watermarks::somebody_waits tells of it.
  std::chrono::milliseconds read_wait_max{25};
  std::chrono::milliseconds gather{25};        ///< the least time between two reads that found something,
                                               ///< unless one did not find all there was, or a coupon's
                                               ///< users wait for the log or the store
  std::size_t in_flight_events_max = 100'000;  ///< queued for the log and not confirmed
  std::chrono::milliseconds backoff{200};      ///< after an error of the gate or the log
  std::chrono::milliseconds stalled_after{10'000};  ///< what waits for so long is told to Health
};

/// Moves issued coupons from the outbox to the event log, in the order of their sequence: at least once,
/// never skipping: at an entry whose predecessor is gone it stops, until the coupon is recovered. It leases
/// the coupons that have something to move (RelayLeases), so that usually one relay serves each; two at once
/// only write some events twice. A coupon that cannot be used stops no other, nor does one of whose events
/// the publisher takes no more: it is not read on until they are taken.
///
/// Logic without I/O or sleep of its own: everything outside is a port. Used from one thread.
class Relay {
 public:
  Relay(Outbox& outbox, EventPublisher& publisher, CatalogReader& catalog, Watermarks& watermarks,
        Metrics& metrics, Health& health, RelayOptions options);

  /// Does what there is to do, waiting up to `wait` for something to read or for the log. Returns when to
  /// come again: earlier when Watermarks::somebody_waits is notified.
  std::chrono::milliseconds step(std::chrono::milliseconds wait);

  /// True when the last step found the outbox empty and the log has confirmed everything read from it.
  bool drained() const { return idle_ && publisher_.in_flight() == 0; }

  /// Gives the leases back, so that another relay need not wait for them to run out.
  void release();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Position {
    Sequence read = 0;       // last sequence handed to the publisher, or waiting in backlog
    Sequence confirmed = 0;  // last sequence in the log
    Sequence marked = 0;     // last sequence the gate knows is in the log
    Epoch epoch = 0;         // what the sequences belong to
    Sequence rebuilt = 0;    // up to here the outbox may have gaps
    std::deque<std::pair<Sequence, TimePoint>> unconfirmed{};  // up to which sequence was read when
    std::vector<IssuedEvent> backlog{};                        // read, not yet taken by the publisher
  };

  Result<void> look_after_leases(bool all_now);
  bool is_drained(const std::string& coupon_id, const Outbox::Progress& progress) const;
  void adopt(const std::string& coupon_id, const Outbox::Progress& progress);
  void take_report(std::chrono::milliseconds wait);
  void rewind();
  Result<void> mark_confirmed();
  Result<std::size_t> read_outbox(std::chrono::milliseconds wait);
  std::size_t take(OutboxEntry& entry, Position& position);
  std::optional<bool> follows(const OutboxEntry& entry, const Position& position);
  void stop_at_hole(const OutboxEntry& after);
  void publish_backlog();
  std::chrono::milliseconds come_again(bool too_soon, std::size_t events) const;
  std::chrono::milliseconds back_off(const Error& error);
  void note_read(const std::vector<OutboxEntry>& entries);
  void check();
  void tell_health(TimePoint time);
  std::chrono::milliseconds until(TimePoint time) const;

  Outbox& outbox_;
  EventPublisher& publisher_;
  CatalogReader& catalog_;
  Watermarks& watermarks_;
  Health& health_;
  const RelayOptions options_;

  RelayLeases leases_;
  std::unordered_map<std::string, Position> positions_;  // of the coupons leased
  std::vector<std::string> backlogs_;                    // coupons with a backlog, the oldest first
  std::map<std::string, Watermark> holes_;               // told so already: where the outbox goes on
  TimePoint next_check_{};
  TimePoint next_read_{};
  TimePoint retry_at_{};
  struct Trouble {
    TimePoint since;
    std::string why;
  };
  std::optional<Trouble> trouble_;  // of the gate
  bool idle_ = false;

  Counter& published_;
  Counter& replays_;
  Gauge& leases_count_;
  Gauge& stuck_;
  Gauge& age_seconds_;
};

}  // namespace seonchak
