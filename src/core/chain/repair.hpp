#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog/catalog.hpp"
#include "core/chain/outbox_sweep.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct RepairOptions {
  std::chrono::milliseconds period{2'000};    ///< between two looks at the coupons that are not at rest
  std::chrono::milliseconds gap_period{200};  ///< when an event came whose predecessors did not: a record
                                              ///< that waits for its dead letter leaves such a gap for long

  /// The log is quiet, and an entry that it has confirmed has been seen waiting by this process, for so long:
  /// it is lost, if the reader has read all that the log has of its coupon.
  std::chrono::milliseconds overdue{5'000};
  std::chrono::milliseconds forget_after{60'000};  ///< a coupon at rest, of which no event came
  std::size_t active_max = 10'000;                 ///< hints read in one look
  std::chrono::milliseconds look_max{1'000};       ///< then the next look goes on: events wait meanwhile

  /// A coupon that the store has no time for, since somebody holds its row, waits; doubled each time.
  std::chrono::milliseconds busy_pause{4'000};
  std::chrono::milliseconds busy_pause_max{30'000};
  std::size_t busy_max = 2;  ///< in one look: each costs the consumer a call's time

  /// Of one coupon in one look, where the store rejects a row: which one it is must be found out.
  std::size_t saves_max = 64;
  OutboxSweepOptions sweep{};
};

/// Knows up to which sequence of each coupon everything is saved, which is how far its outbox may be trimmed,
/// and makes good what the log has lost: a topic that was deleted takes along what was confirmed and not read
/// yet. The outbox still has that, so it is saved from there.
///
/// It looks at coupons whose events came lately, at those with a hint that they are claimed, and, a few at a
/// time, at all others. Waiting is measured by this process's own steady clock alone.
///
/// Used from one thread.
class Repair {
 public:
  Repair(Store& store, Outbox& outbox, Metrics& metrics, RepairOptions options = {});

  /// Another consumer may have saved meanwhile: how far everything is must be asked again.
  void forget();

  /// Events of these coupons and epochs are about to be handled: those unknown are asked for together.
  void expect(std::span<const CouponEpoch> coupons);

  /// An event of its coupon's present epoch is saved, or will never be. How far that coupon is saved without
  /// a gap now; nothing when that is not known.
  std::optional<Watermark> handled(const IssuedEvent& event);

  /// Whether an event came whose predecessors did not.
  bool found_gap() const { return found_gap_; }

  /// Looks, when it is time, for watermarks that lag behind the store (a consumer died between its commit and
  /// the trim), and for events that the log has lost, which are saved. `idle`: the log has nothing more to
  /// read. An event whose row the store rejects is left out, for good: the log names it. `reader` is the
  /// consumer: what it has of a coupon that `waits` is not lost, and nothing is of which another member may
  /// read, or this one has not read, what the log has.
  struct Reader {
    std::string group;
    std::string topic;
    std::function<bool(const std::string& coupon_id)> waits = [](const std::string&) { return false; };
    std::function<EventConsumer::Reach(const std::string& coupon_id)> reach = [](const std::string&) {
      return EventConsumer::Reach::to_end;
    };
    /// Told of each event that the store rejects, before its watermark is.
    std::function<void(const IssuedEvent&)> rejected = [](const IssuedEvent&) {};
  };
  std::vector<Watermark> step(const CatalogSnapshot& catalog, const Reader& reader, bool idle);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Coupon {
    Epoch epoch = 0;
    Sequence through = 0;    // everything up to here is saved
    Sequence seen = 0;       // the highest sequence handled
    Sequence rebuilt = 0;    // up to here the outbox may have gaps
    TimePoint handled_at{};  // the last event, or the last time it was found not to be at rest
    // Up to `awaited` the log has confirmed everything, as was first seen then.
    Sequence awaited = 0;
    TimePoint awaited_since{};
    std::set<Sequence> refused{};        // whose rows the store rejects: they stand in nobody's way
    std::chrono::milliseconds pause{0};  // after the store had no time for it
    TimePoint not_before{};
  };

  void find_others(const CatalogSnapshot& catalog);
  Result<void> look(const Reader& reader, std::vector<Watermark>& watermarks);
  Result<void> look_at(const std::string& id, const Outbox::Progress& gate, const Reader& reader,
                       std::vector<Watermark>& watermarks);
  void put_off(const std::string& id, const Error& error);
  void ask(const std::vector<std::string>& ids);
  void await(Coupon& coupon, Sequence published) const;
  Result<void> advance(Coupon& coupon, const std::string& id, Sequence published, const Reader& reader);
  enum class Missing { not_yet, held_back, lost };
  Missing look_for(const Coupon& coupon, const OutboxEntry& entry, const Reader& reader) const;
  Result<std::size_t> saved_entries(const Coupon& coupon, std::span<const OutboxEntry> entries) const;
  std::span<const OutboxEntry> missing_together(const Coupon& coupon, std::span<const OutboxEntry> entries,
                                                const Reader& reader, Missing why) const;
  Result<void> save(Coupon& coupon, std::span<const OutboxEntry> entries, const Reader& reader, Missing why);
  Result<void> save_rows(Coupon& coupon, SaveBatch batch, const Reader& reader);

  Store& store_;
  Outbox& outbox_;
  const RepairOptions options_;
  OutboxSweep sweep_;
  std::unordered_map<std::string, Coupon> coupons_;
  std::set<std::string> others_;       // to be looked at as well: hinted, or found by the sweep
  std::set<std::string> cannot_trim_;  // told so already
  std::set<std::string> put_off_;      // the store had no time for them; that some are is told once
  std::string turn_;                   // the coupon that was looked at last
  bool found_gap_ = false;
  TimePoint next_look_{};
  TimePoint look_until_{};
  TimePoint next_gap_look_{};
  std::optional<TimePoint> quiet_since_;  // of the log
  std::size_t saves_ = 0;                 // of the coupon that is looked at
  Counter& lost_;
  Counter& rejected_;
};

}  // namespace seonchak
