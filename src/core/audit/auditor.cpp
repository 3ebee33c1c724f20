#include "core/audit/auditor.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

namespace seonchak {

namespace {

constexpr std::size_t rows_page = 10'000;
constexpr std::size_t entries_page = 256;
constexpr std::chrono::milliseconds no_wait{0};

using EventList = std::vector<const IssuedEvent*>;

/// The log at one moment.
struct LogReading {
  std::vector<IssuedEvent> events;
  std::vector<IssuedEvent> unread;
  std::unordered_map<std::string_view, EventList> events_of;
  std::unordered_map<std::string_view, EventList> unread_of;
  bool whole = true;
};

std::unordered_map<std::string_view, EventList> by_coupon(const std::vector<IssuedEvent>& events) {
  std::unordered_map<std::string_view, EventList> found;
  for (const IssuedEvent& event : events) found[event.coupon_id].push_back(&event);
  return found;
}

EventList of_coupon(const std::unordered_map<std::string_view, EventList>& events, const std::string& id) {
  const auto found = events.find(id);
  return found == events.end() ? EventList() : found->second;
}

/// A reading that can be compared, or why it cannot.
struct Reading {
  CouponFacts facts;
  std::string unsettled;
};

class Auditor {
 public:
  Auditor(const AuditPorts& ports, const AuditOptions& options) : ports_(ports), options_(options) {}

  Result<AuditReport> run() {
    auto pending = coupon_ids();
    if (!pending) return pending.error();
    for (int round = 1; !pending->empty(); ++round) {
      if (round > 1) std::this_thread::sleep_for(options_.pause);
      const auto log = read_log();
      if (!log) return log.error();
      std::vector<std::string> again;
      for (const std::string& id : *pending) {
        const auto finished = look_at(id, *log, round);
        const bool unusable = !finished && (finished.error().code == Errc::gate_unusable ||
                                            finished.error().code == Errc::gate_behind);
        if (unusable) {
          coupons_.try_emplace(id);  // the report names it, though there is nothing to compare
          unfinished_[id] = finished.error().message;
        }
        if (!finished && !unusable) return finished.error();
        if (finished && !*finished) again.push_back(id);
      }
      *pending = std::move(again);
    }
    return report();
  }

 private:
  struct Progress {
    std::optional<CouponAudit> audit;  // the last one, with the breaches that every reading had
    int readings = 0;
  };

  Result<std::vector<std::string>> coupon_ids() {
    std::vector<std::string> ids;
    if (!options_.coupon_id.empty()) {
      const auto coupon = ports_.store.coupon(options_.coupon_id);
      if (!coupon) return coupon.error();
      ids.push_back(options_.coupon_id);
      return ids;
    }
    while (true) {
      const auto page = ports_.store.list_coupons(ids.empty() ? "" : ids.back(), coupons_page_max);
      if (!page) return page.error();
      for (const Coupon& coupon : *page) ids.push_back(coupon.id);
      if (page->size() < coupons_page_max) return ids;
    }
  }

  Result<LogReading> read_log() {
    LogReading log;
    if (ports_.log == nullptr) return log;
    const auto positions = ports_.store.positions(ports_.log->group(), ports_.log->topic());
    if (!positions) return positions.error();
    auto unread = events_after(*positions);
    if (!unread) return unread.error();
    auto events = events_after({});
    log.whole = events.has_value() || events.error().code != Errc::overloaded;
    if (!events && log.whole) return events.error();
    log.events = log.whole ? std::move(*events) : *unread;
    log.unread = std::move(*unread);
    log_is_whole_ = log.whole;
    log.events_of = by_coupon(log.events);
    log.unread_of = by_coupon(log.unread);
    return log;
  }

  Result<std::vector<IssuedEvent>> events_after(std::span<const LogPosition> positions) {
    std::vector<IssuedEvent> kept;
    bool fits = true;
    const auto keep = [&](std::vector<IssuedEvent> events) {
      if (!options_.coupon_id.empty()) {
        std::erase_if(events,
                      [&](const IssuedEvent& event) { return event.coupon_id != options_.coupon_id; });
      }
      fits = kept.size() + events.size() <= options_.log_events_max;
      if (fits) std::ranges::move(events, std::back_inserter(kept));
      return fits;
    };
    if (auto read = read_tail(*ports_.log, positions, options_.tail, keep); !read) return read.error();
    if (fits) return kept;
    return Error{Errc::overloaded,
                 "more than " + std::to_string(options_.log_events_max) + " events wait for the consumers"};
  }

  /// False: read it again.
  Result<bool> look_at(const std::string& id, const LogReading& log, int round) {
    const auto reading = read(id, log);
    if (!reading) return reading.error();
    Progress& progress = coupons_[id];
    const bool last_chance = round >= options_.unsettled_readings_max;
    if (!reading->unsettled.empty() && !last_chance) {
      progress = {};  // what was suspected before may be of the time before a recovery
      return false;
    }
    if (!reading->unsettled.empty()) unfinished_[id] = reading->unsettled;
    if (!reading->unsettled.empty() && !comparable(reading->facts)) return true;

    CouponAudit found = audit(reading->facts);
    if (progress.audit) keep_repeated(found, *progress.audit);
    progress.audit = std::move(found);
    ++progress.readings;
    return progress.audit->breach_count == 0 || progress.readings >= options_.readings || last_chance;
  }

  /// A state that went away, or is not of the store's epoch, can only be told apart from the truth by the
  /// recovery that follows; a gate that has nothing of the coupon is a breach in itself.
  bool comparable(const CouponFacts& facts) {
    if (!facts.coupon.is_open()) return false;
    if (!facts.before && !facts.after) return !recovering_;
    return facts.before && facts.after && facts.before->epoch == facts.coupon.epoch &&
           facts.after->epoch == facts.coupon.epoch;
  }

  // What only one reading shows was on its way.
  static void keep_repeated(CouponAudit& found, const CouponAudit& before) {
    const bool all_named = before.breach_count == static_cast<std::int64_t>(before.breaches.size());
    const auto gone = std::erase_if(found.breaches, [&](const Breach& breach) {
      return all_named && std::ranges::none_of(before.breaches,
                                               [&](const Breach& known) { return known.same_as(breach); });
    });
    found.breach_count -= static_cast<std::int64_t>(gone);
  }

  Result<Reading> read(const std::string& id, const LogReading& log) {
    Reading reading;
    CouponFacts& facts = reading.facts;
    facts.log_read = ports_.log != nullptr;
    facts.gate_read = ports_.gate != nullptr;
    facts.events = of_coupon(log.events_of, id);
    facts.unread = of_coupon(log.unread_of, id);
    recovering_ = false;
    if (facts.gate_read) {
      if (auto done = read_state(id, facts.before); !done) return done.error();
      auto holders = ports_.holders->survivors(id, 0);
      if (!holders) return holders.error();
      facts.holders = std::move(*holders);
      if (auto done = read_outbox(id, facts); !done) return done.error();
    }
    if (auto done = read_rows(id, facts); !done) return done.error();
    if (facts.gate_read) {
      if (auto done = read_state(id, facts.after); !done) return done.error();
    }
    auto coupon = ports_.store.coupon(id);
    if (!coupon) return coupon.error();
    facts.coupon = std::move(*coupon);
    if (facts.gate_read) {
      auto unsettled = why_unsettled(facts);
      if (!unsettled) return unsettled.error();
      reading.unsettled = std::move(*unsettled);
    }
    return reading;
  }

  /// Nothing for a coupon the gate does not have, or has shut for a recovery.
  Result<void> read_state(const std::string& id, std::optional<GateState>& state) {
    const auto found = ports_.gate->state(id);
    if (found) state = *found;
    if (!found && found.error().code == Errc::gate_epoch) recovering_ = true;
    if (!found && found.error().code != Errc::gate_epoch && found.error().code != Errc::gate_missing)
      return found.error();
    return {};
  }

  Result<void> read_outbox(const std::string& id, CouponFacts& facts) {
    Watermark after{id, 0, facts.before ? facts.before->epoch : 0};
    while (true) {
      auto page = ports_.outbox->read({&after, 1}, entries_page, no_wait);
      if (!page) return page.error();
      if (!page->failed.empty()) return page->failed.front().error;
      // A short page may end before an entry that cannot be read, which fails once it is the next.
      const bool last = page->entries.empty();
      for (OutboxEntry& entry : page->entries) {
        after.sequence = entry.last_sequence();
        facts.outbox.push_back(std::move(entry));
      }
      if (last) return {};
    }
  }

  Result<void> read_rows(const std::string& id, CouponFacts& facts) {
    Sequence after = 0;
    while (true) {
      auto page = ports_.store.holders(id, after, rows_page);
      if (!page) return page.error();
      const bool last = page->size() < rows_page;
      // Of rows that share a sequence a page may show a part: the next one shows them all.
      const bool whole = last || page->front().sequence == page->back().sequence;
      after = last ? 0 : page->back().sequence - (whole ? 0 : 1);
      for (Holder& row : *page) {
        if (last || row.sequence <= after) facts.rows.push_back(std::move(row));
      }
      if (last) return {};
    }
  }

  Result<std::string> why_unsettled(const CouponFacts& facts) {
    const Coupon& coupon = facts.coupon;
    if (coupon.phase() == Phase::unopened) return std::string();
    if (recovering_ || !coupon.is_open()) return std::string("the gate is being recovered");
    if (!facts.before || !facts.after) {
      if (coupon.closed) return std::string();
      return std::string("the gate has no state of it");
    }
    if (facts.before->epoch != coupon.epoch || facts.after->epoch != coupon.epoch) {
      return "the gate is in epoch " + to_string(facts.after->epoch) + ", the store in " +
             to_string(coupon.epoch);
    }
    const auto identity = ports_.gate->identity(coupon.id);
    if (!identity) return identity.error();
    if (identity->name() != coupon.gate)
      return std::string("the gate is another server, or another life of it, than the store trusts");
    return std::string();
  }

  AuditReport report() {
    AuditReport report;
    report.checked_at = now();
    for (auto& [id, progress] : coupons_) {
      const auto unfinished = unfinished_.find(id);
      if (unfinished != unfinished_.end() && progress.audit) {
        progress.audit->notes.push_back(unfinished->second +
                                        ": closed to claims until an api process recovers it");
      } else if (unfinished != unfinished_.end()) {
        report.unfinished.push_back("coupon " + id + ": " + unfinished->second);
      }
      if (progress.audit) report.coupons.push_back(std::move(*progress.audit));
    }
    if (ports_.gate == nullptr)
      report.notes.emplace_back("the gate ended with its process: the store alone was checked");
    if (ports_.log == nullptr) {
      report.notes.emplace_back("the log ended with its process, or is in another one: it was not checked");
    } else if (!log_is_whole_) {
      report.notes.push_back("the log has more than " + std::to_string(options_.log_events_max) +
                             " events: only those beyond the store's position were checked");
    }
    return report;
  }

  const AuditPorts ports_;
  const AuditOptions options_;
  std::map<std::string, Progress> coupons_;
  std::map<std::string, std::string> unfinished_;
  bool log_is_whole_ = true;
  bool recovering_ = false;  // in the present reading
};

}  // namespace

std::int64_t AuditReport::breach_count() const {
  std::int64_t count = 0;
  for (const CouponAudit& coupon : coupons) count += coupon.breach_count;
  return count;
}

Result<AuditReport> run_audit(const AuditPorts& ports, const AuditOptions& options) {
  return Auditor(ports, options).run();
}

}  // namespace seonchak
