#include "core/chain/repair.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

constexpr std::size_t entries_page = 64;
constexpr std::size_t pages_max = 64;    ///< per coupon and call; the next call goes on
constexpr std::size_t rows_max = 1'000;  ///< in one save, unless one entry has more
constexpr std::chrono::milliseconds no_wait{0};

}  // namespace

Repair::Repair(Store& store, Outbox& outbox, Metrics& metrics, RepairOptions options)
    : store_(store),
      outbox_(outbox),
      options_(options),
      sweep_(outbox, options.sweep),
      lost_(metrics.counter("seonchak_consumer_lost_by_log_total",
                            "Events that the log had confirmed, that did not come out of it, and that were "
                            "saved from the outbox.")),
      rejected_(metrics.counter("seonchak_consumer_rejected_by_repair_total",
                                "Events of the outbox that did not come out of the log, and whose rows the "
                                "store rejects: the program's log names each.")) {}

void Repair::forget() {
  for (const auto& [id, coupon] : coupons_) others_.insert(id);
  coupons_.clear();
  put_off_.clear();
  sweep_.restart();
  found_gap_ = false;
}

// A batch after a reassignment is of many coupons, and all of them are unknown.
void Repair::expect(std::span<const CouponEpoch> coupons) {
  std::vector<std::string> unknown;
  for (const auto& [id, epoch] : coupons) {
    const auto found = coupons_.find(id);
    if (found == coupons_.end() || found->second.epoch != epoch) unknown.push_back(id);
  }
  if (!unknown.empty()) ask(unknown);
}

void Repair::ask(const std::vector<std::string>& ids) {
  const auto progress = outbox_.progress(ids);
  invariant(progress.size() == ids.size(), one_answer_each);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& gate = progress[i];
    if (gate && gate->epoch > 0)
      coupons_[ids[i]] = {.epoch = gate->epoch,
                          .through = gate->persisted,
                          .rebuilt = gate->rebuilt,
                          .handled_at = ticker().now()};
  }
}

std::optional<Watermark> Repair::handled(const IssuedEvent& event) {
  Coupon& coupon = coupons_[event.coupon_id];
  if (coupon.epoch != event.epoch) coupon = {.epoch = event.epoch};
  coupon.handled_at = ticker().now();
  coupon.seen = std::max(coupon.seen, event.sequence);
  if (event.sequence == coupon.through + 1) coupon.through = event.sequence;
  if (event.sequence > coupon.through) found_gap_ = true;
  if (coupon.through == 0) return std::nullopt;
  return Watermark{event.coupon_id, coupon.through, coupon.epoch};
}

std::vector<Watermark> Repair::step(const CatalogSnapshot& catalog, const Reader& reader, bool idle) {
  std::vector<Watermark> watermarks;
  const auto time = ticker().now();
  if (!idle || !quiet_since_) quiet_since_ = time;
  if (const auto found = sweep_.step(catalog); found) others_.insert(found->begin(), found->end());
  if (time < next_look_ && (!found_gap_ || time < next_gap_look_)) return watermarks;
  next_look_ = time + options_.period;
  next_gap_look_ = time + options_.gap_period;
  find_others(catalog);
  if (const auto looked = look(reader, watermarks); !looked)
    log::debug("nothing repaired", {{"why", looked.error().message}});
  return watermarks;
}

void Repair::find_others(const CatalogSnapshot& catalog) {
  const auto active = outbox_.active(options_.active_max);
  if (!active) return;
  for (const auto& [id, hinted] : *active) {
    if (const auto coupon = catalog.find(id); coupon && coupon->phase() != Phase::unopened)
      others_.insert(id);
  }
}

Result<void> Repair::look(const Reader& reader, std::vector<Watermark>& watermarks) {
  std::set<std::string> looked_at = others_;
  for (const auto& [id, coupon] : coupons_) looked_at.insert(id);
  if (looked_at.empty()) return {};
  const std::vector<std::string> ids(looked_at.begin(), looked_at.end());
  const auto progress = outbox_.progress(ids);
  invariant(progress.size() == ids.size(), one_answer_each);
  if (const auto down = nobody_reached(progress)) return *down;
  others_.clear();
  look_until_ = ticker().now() + options_.look_max;
  // From the one after the last on, so that none is kept waiting by the same others each time.
  const auto first = static_cast<std::size_t>(std::ranges::upper_bound(ids, turn_) - ids.begin());
  std::size_t busy = 0;
  for (std::size_t n = 0; n < ids.size(); ++n) {
    const std::size_t i = (first + n) % ids.size();
    if (busy == options_.busy_max || ticker().now() >= look_until_) {
      others_.insert(ids[i]);
      continue;
    }
    if (!progress[i] || progress[i]->epoch == 0) continue;
    turn_ = ids[i];
    const auto looked = look_at(ids[i], *progress[i], reader, watermarks);
    if (looked) continue;
    put_off(ids[i], looked.error());
    ++busy;
  }
  found_gap_ = false;
  return {};
}

// Errors: the store has no time for it.
Result<void> Repair::look_at(const std::string& id, const Outbox::Progress& gate, const Reader& reader,
                             std::vector<Watermark>& watermarks) {
  if (gate.published <= gate.persisted && !coupons_.contains(id)) return {};
  const auto time = ticker().now();
  Coupon& coupon = coupons_[id];
  if (coupon.epoch != gate.epoch) coupon = {.epoch = gate.epoch};
  coupon.through = std::max(coupon.through, gate.persisted);
  coupon.rebuilt = gate.rebuilt;
  await(coupon, gate.published);
  const bool waits = time < coupon.not_before;
  auto reached = waits ? Result<void>() : advance(coupon, id, gate.published, reader);
  const bool no_time =
      !reached && (reached.error().code == Errc::unavailable || reached.error().code == Errc::not_now);
  if (reached && !waits) {
    cannot_trim_.erase(id);
    put_off_.erase(id);
    coupon.pause = {};
  } else if (!reached && !no_time && cannot_trim_.insert(id).second) {
    log::warn("an outbox is not trimmed", {{"coupon", id}, {"why", reached.error().message}});
  }
  const bool at_rest = gate.persisted >= std::max({gate.published, coupon.seen, coupon.through});
  if (!at_rest) coupon.handled_at = time;
  if (coupon.through > gate.persisted) watermarks.push_back({id, coupon.through, gate.epoch});
  if (no_time) return reached;
  if (time - coupon.handled_at >= options_.forget_after) {
    coupons_.erase(id);
    put_off_.erase(id);
  }
  return {};
}

void Repair::put_off(const std::string& id, const Error& error) {
  Coupon& coupon = coupons_[id];
  const auto least = std::min(options_.busy_pause, 2 * options_.period);
  coupon.pause = std::clamp(coupon.pause * 2, least, std::min(options_.busy_pause_max, 15 * options_.period));
  coupon.not_before = ticker().now() + coupon.pause;
  const bool first = put_off_.empty();
  put_off_.insert(id);
  if (first) log::warn("outboxes wait for the store", {{"first", id}, {"why", error.message}});
}

// What comes after is judged once all up to here is saved.
void Repair::await(Coupon& coupon, Sequence published) const {
  if (coupon.through < coupon.awaited || published <= coupon.awaited) return;
  coupon.awaited = published;
  coupon.awaited_since = ticker().now();
}

// Entry by entry from what the gate knows to be saved, up to what the log has confirmed.
Result<void> Repair::advance(Coupon& coupon, const std::string& id, Sequence published,
                             const Reader& reader) {
  const Sequence confirmed = std::max(published, coupon.seen);
  saves_ = 0;
  for (std::size_t page = 0; coupon.through < confirmed && page < pages_max; ++page) {
    const Watermark after{id, coupon.through, coupon.epoch};
    auto read = outbox_.read({&after, 1}, entries_page, no_wait);
    if (!read) return read.error();
    if (!read->failed.empty()) return read->failed.front().error;
    std::vector<OutboxEntry>& entries = read->entries;
    // An entry that is not published yet may be in the store from before a recovery; it is published all the
    // same.
    std::erase_if(entries, [&](const OutboxEntry& entry) {
      return entry.last_sequence() > confirmed || entry.epoch != coupon.epoch;
    });
    if (entries.empty()) return {};
    // Above what a recovery wrote, a gap is an entry that is gone.
    Sequence before = std::max(coupon.through, coupon.rebuilt);
    const auto after_hole = std::ranges::find_if(entries, [&](const OutboxEntry& entry) {
      return entry.first_sequence > std::exchange(before, std::max(before, entry.last_sequence())) + 1;
    });
    entries.erase(after_hole, entries.end());
    if (entries.empty()) return Error{Errc::gate_behind, "an entry of its outbox is gone"};
    const auto saved = saved_entries(coupon, entries);
    if (!saved) return saved.error();
    if (*saved > 0) coupon.through = entries[*saved - 1].last_sequence();
    coupon.refused.erase(coupon.refused.begin(), coupon.refused.upper_bound(coupon.through));
    if (*saved == entries.size()) continue;
    if (reader.waits(id)) return {};
    const auto rest = std::span<const OutboxEntry>(entries).subspan(*saved);
    const Missing why = look_for(coupon, rest.front(), reader);
    if (why == Missing::not_yet) return {};
    if (auto done = save(coupon, missing_together(coupon, rest, reader, why), reader, why); !done)
      return done;
    if (saves_ >= options_.saves_max || ticker().now() >= look_until_) return {};
  }
  return {};
}

// A later event has come without it, or nothing comes any more. That is for the reader of its partition to
// say: to any other member of the group a backlog of that one looks the same.
Repair::Missing Repair::look_for(const Coupon& coupon, const OutboxEntry& entry, const Reader& reader) const {
  if (entry.last_sequence() < coupon.seen) return Missing::lost;
  const auto time = ticker().now();
  if (entry.last_sequence() > coupon.awaited || time - coupon.awaited_since < options_.overdue ||
      time - *quiet_since_ < options_.overdue)
    return Missing::not_yet;
  switch (reader.reach(entry.coupon_id)) {
    case EventConsumer::Reach::unknown:
      return Missing::not_yet;
    case EventConsumer::Reach::held_back:
      return Missing::held_back;
    case EventConsumer::Reach::to_end:
      return Missing::lost;
  }
  broken_invariant("a reach is one of those there are");
}

// Those from the front that are missing for the same reason, and go into one save.
std::span<const OutboxEntry> Repair::missing_together(const Coupon& coupon,
                                                      std::span<const OutboxEntry> entries,
                                                      const Reader& reader, Missing why) const {
  std::size_t count = 1;
  std::size_t rows = entries.front().users.size();
  for (; count < entries.size(); ++count) {
    rows += entries[count].users.size();
    if (rows > rows_max || look_for(coupon, entries[count], reader) != why) break;
  }
  return entries.first(count);
}

Result<void> Repair::save(Coupon& coupon, std::span<const OutboxEntry> entries, const Reader& reader,
                          Missing why) {
  const std::string& id = entries.front().coupon_id;
  SaveBatch batch{reader.group, reader.topic, {}, {}, {{id, coupon.epoch}}};
  std::vector<std::string> users;
  for (const OutboxEntry& entry : entries) {
    for (std::size_t i = 0; i < entry.users.size(); ++i) {
      const Sequence sequence = entry.first_sequence + static_cast<std::int64_t>(i);
      users.push_back(entry.users[i]);
      if (coupon.refused.contains(sequence)) continue;
      batch.events.push_back({id, entry.users[i], sequence, entry.issued_at, entry.epoch});
    }
  }
  const auto before = store_.holders_among(id, users);
  if (!before) return before.error();
  auto saved = save_rows(coupon, std::move(batch), reader);
  const auto after = store_.holders_among(id, users);
  if (!after) return saved ? Result<void>(after.error()) : saved;
  const std::size_t added = after->size() - std::min(after->size(), before->size());
  if (added == 0) return saved;
  if (why == Missing::lost) lost_.add(added);
  log::warn(why == Missing::lost
                ? "events that the log had confirmed did not come out of it: saved from the outbox"
                : "events that the log holds back behind an open transaction are saved from the outbox",
            {{"coupon", id},
             {"first", entries.front().first_sequence},
             {"last", entries.back().last_sequence()},
             {"saved", added}});
  return saved;
}

// What the store rejects as a whole is tried by halves, down to the event that is at fault.
Result<void> Repair::save_rows(Coupon& coupon, SaveBatch batch, const Reader& reader) {
  std::vector<std::vector<IssuedEvent>> parts;
  parts.push_back(std::exchange(batch.events, {}));
  while (!parts.empty() && saves_ < options_.saves_max) {
    batch.events = std::move(parts.back());
    parts.pop_back();
    const auto saved = store_.save(batch);
    ++saves_;
    if (saved && *saved == SaveOutcome::saved) continue;
    if (saved && *saved == SaveOutcome::busy)
      return Error{Errc::not_now, "somebody holds a row of the store"};
    if (saved) return Error{Errc::gate_epoch, "the coupon is being recovered"};
    if (saved.error().code != Errc::rejected || batch.events.empty()) return saved.error();
    if (batch.events.size() > 1) {
      const auto middle = batch.events.begin() + static_cast<std::ptrdiff_t>(batch.events.size() / 2);
      parts.emplace_back(middle, batch.events.end());
      parts.emplace_back(batch.events.begin(), middle);
      continue;
    }
    const IssuedEvent& event = batch.events.front();
    coupon.refused.insert(event.sequence);
    rejected_.add();
    reader.rejected(event);
    log::error("the store rejects a row of the outbox: it is not saved",
               {{"coupon", event.coupon_id},
                {"user", event.user_id},
                {"sequence", event.sequence},
                {"issued_at", format_rfc3339(event.issued_at)},
                {"why", saved.error().message}});
  }
  return {};
}

// How many entries from the front have all their users in the store, but for those that it rejects.
Result<std::size_t> Repair::saved_entries(const Coupon& coupon, std::span<const OutboxEntry> entries) const {
  std::vector<std::string> users;
  for (const OutboxEntry& entry : entries) std::ranges::copy(entry.users, std::back_inserter(users));
  const auto rows = store_.holders_among(entries.front().coupon_id, users);
  if (!rows) return rows.error();
  std::vector<std::string_view> saved;
  for (const Holder& row : *rows) saved.push_back(row.user_id);
  std::ranges::sort(saved);
  const auto all_saved = [&](const OutboxEntry& entry) {
    for (std::size_t i = 0; i < entry.users.size(); ++i) {
      const Sequence sequence = entry.first_sequence + static_cast<std::int64_t>(i);
      if (!coupon.refused.contains(sequence) && !std::ranges::binary_search(saved, entry.users[i]))
        return false;
    }
    return true;
  };
  return static_cast<std::size_t>(std::ranges::find_if_not(entries, all_saved) - entries.begin());
}

}  // namespace seonchak
