#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.hpp"
#include "core/catalog.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct ReconcilerOptions {
  /// The log is quiet, and an entry that it has confirmed has not come, for so long: it is lost.
  std::chrono::milliseconds overdue{5'000};
};

/// Knows up to which sequence of each coupon everything is saved, which is how far its outbox may be trimmed,
/// and makes good what the log has lost: a topic that was deleted takes along what was confirmed and not read
/// yet. The outbox still has that, so it is saved from there.
///
/// Used from one thread.
class Reconciler {
 public:
  Reconciler(Store& store, Outbox& outbox, Metrics& metrics, ReconcilerOptions options = {});

  /// Another consumer may have saved meanwhile: how far everything is must be asked again.
  void forget();

  /// An event of its coupon's present epoch is saved, or will never be. How far that coupon is saved without
  /// a gap now; nothing when that is not known.
  std::optional<Mark> handled(const IssuedEvent& event);

  /// Whether an event came whose predecessors did not.
  bool found_gap() const { return found_gap_; }

  /// Looks at all outboxes: marks that lag behind the store (a consumer died between its commit and the
  /// trim), and events that the log has lost, which are saved. `idle`: the log has nothing more to read.
  /// `reader` is the consumer.
  struct Reader {
    std::string group;
    std::string topic;
  };
  Result<std::vector<Mark>> reconcile(const CatalogSnapshot& catalog, const Reader& reader, bool idle);

 private:
  struct Coupon {
    std::int64_t epoch = 0;
    std::int64_t through = 0;  // everything up to here is saved
    std::int64_t seen = 0;     // the highest sequence handled
  };

  void ask(const std::string& id);
  Coupon& known(const std::string& id, std::int64_t epoch);
  Result<void> advance(Coupon& coupon, const std::string& id, std::int64_t published, const Reader& reader);
  bool is_lost(const Coupon& coupon, const OutboxEntry& entry) const;
  Result<std::size_t> saved_entries(std::span<const OutboxEntry> entries) const;
  Result<void> save(const OutboxEntry& entry, const Reader& reader);

  Store& store_;
  Outbox& outbox_;
  const ReconcilerOptions options_;
  std::unordered_map<std::string, Coupon> coupons_;
  std::vector<std::string> open_ids_;  // as of the last look
  std::vector<std::string> unasked_;   // of which the gate is asked together with the next unknown one
  bool found_gap_ = false;
  std::optional<std::chrono::steady_clock::time_point> quiet_since_;  // of the log
  Counter& lost_;
};

}  // namespace seonchak
