#include "core/reconcile.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

constexpr std::size_t entries_page = 64;
constexpr std::size_t pages_max = 64;  ///< per coupon and call; the next call goes on
constexpr std::chrono::milliseconds no_wait{0};

}  // namespace

Reconciler::Reconciler(Store& store, Outbox& outbox, Metrics& metrics, ReconcilerOptions options)
    : store_(store),
      outbox_(outbox),
      options_(options),
      lost_(metrics.counter("seonchak_consumer_lost_by_log_total",
                            "Events saved from the outbox, since the log has confirmed and lost them.")) {}

void Reconciler::forget() {
  coupons_.clear();
  unasked_ = open_ids_;
  found_gap_ = false;
}

// A batch after a reassignment is of many coupons, and all of them are unknown.
void Reconciler::ask(const std::string& id) {
  std::vector<std::string> ids = std::exchange(unasked_, {});
  ids.push_back(id);
  const auto progress = outbox_.progress(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& gate = progress[i];
    if (gate && gate->epoch > 0) coupons_.try_emplace(ids[i], Coupon{gate->epoch, gate->persisted, 0});
  }
}

Reconciler::Coupon& Reconciler::known(const std::string& id, std::int64_t epoch) {
  auto found = coupons_.find(id);
  if (found != coupons_.end() && found->second.epoch == epoch) return found->second;
  if (found != coupons_.end()) coupons_.erase(found);
  ask(id);
  Coupon& coupon = coupons_[id];
  if (coupon.epoch != epoch) coupon = {epoch, 0, 0};
  return coupon;
}

std::optional<Mark> Reconciler::handled(const IssuedEvent& event) {
  Coupon& coupon = known(event.coupon_id, event.epoch);
  coupon.seen = std::max(coupon.seen, event.sequence);
  if (event.sequence == coupon.through + 1) coupon.through = event.sequence;
  if (event.sequence > coupon.through) found_gap_ = true;
  if (coupon.through == 0) return std::nullopt;
  return Mark{event.coupon_id, coupon.through, coupon.epoch};
}

Result<std::vector<Mark>> Reconciler::reconcile(const CatalogSnapshot& catalog, const Reader& reader,
                                                bool idle) {
  const std::vector<std::string> ids = catalog.open_ids();
  const auto progress = outbox_.progress(ids);
  if (const auto down = nobody_reached(progress)) return *down;
  open_ids_ = ids;
  if (!idle || !quiet_since_) quiet_since_ = ticker().now();

  std::vector<Mark> marks;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!progress[i]) continue;
    const Outbox::Progress& gate = *progress[i];
    if (gate.epoch == 0) continue;
    if (gate.published <= gate.persisted && !coupons_.contains(ids[i])) continue;
    Coupon& coupon = coupons_[ids[i]];
    if (coupon.epoch != gate.epoch) coupon = {gate.epoch, 0, 0};
    coupon.through = std::max(coupon.through, gate.persisted);
    const auto reached = advance(coupon, ids[i], gate.published, reader);
    if (!reached && reached.error().code == Errc::unavailable) return reached.error();
    if (!reached)
      log::warn("an outbox is not trimmed", {{"coupon", ids[i]}, {"why", reached.error().message}});
    if (coupon.through > gate.persisted) marks.push_back({ids[i], coupon.through, gate.epoch});
  }
  found_gap_ = false;
  return marks;
}

// Entry by entry from what the gate knows to be saved, up to what the log has confirmed.
Result<void> Reconciler::advance(Coupon& coupon, const std::string& id, std::int64_t published,
                                 const Reader& reader) {
  const std::int64_t confirmed = std::max(published, coupon.seen);
  for (std::size_t page = 0; coupon.through < confirmed && page < pages_max; ++page) {
    const Mark after{id, coupon.through, coupon.epoch};
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
    const auto saved = saved_entries(entries);
    if (!saved) return saved.error();
    if (*saved > 0) coupon.through = entries[*saved - 1].last_sequence();
    if (*saved == entries.size()) continue;
    const OutboxEntry& next = entries[*saved];
    if (!is_lost(coupon, next)) return {};
    if (auto done = save(next, reader); !done) return done;
  }
  return {};
}

// A later event has come without it, or nothing comes any more.
bool Reconciler::is_lost(const Coupon& coupon, const OutboxEntry& entry) const {
  if (entry.last_sequence() < coupon.seen) return true;
  return ticker().now() - *quiet_since_ >= options_.overdue && now() - entry.issued_at >= options_.overdue;
}

Result<void> Reconciler::save(const OutboxEntry& entry, const Reader& reader) {
  SaveBatch batch{reader.group, reader.topic, {}, {}, {{entry.coupon_id, entry.epoch}}};
  for (std::size_t i = 0; i < entry.users.size(); ++i) {
    batch.events.push_back({entry.coupon_id, entry.users[i],
                            entry.first_sequence + static_cast<std::int64_t>(i), entry.issued_at,
                            entry.epoch});
  }
  const auto saved = store_.save(batch);
  if (!saved) return saved.error();
  if (*saved == SaveOutcome::busy) return Error{Errc::unavailable, "somebody holds a row of the store"};
  if (*saved != SaveOutcome::saved) return Error{Errc::gate_epoch, "the coupon is being recovered"};
  lost_.add(batch.events.size());
  log::warn("the log has lost events that it had confirmed: saved from the outbox",
            {{"coupon", entry.coupon_id}, {"first", entry.first_sequence}, {"last", entry.last_sequence()}});
  return {};
}

// How many entries from the front have all their users in the store.
Result<std::size_t> Reconciler::saved_entries(std::span<const OutboxEntry> entries) const {
  std::vector<std::string> users;
  for (const OutboxEntry& entry : entries) std::ranges::copy(entry.users, std::back_inserter(users));
  const auto rows = store_.holders_among(entries.front().coupon_id, users);
  if (!rows) return rows.error();
  std::vector<std::string_view> saved;
  for (const Holder& row : *rows) saved.push_back(row.user_id);
  std::ranges::sort(saved);
  const auto all_saved = [&](const OutboxEntry& entry) {
    return std::ranges::all_of(
        entry.users, [&](const std::string& user) { return std::ranges::binary_search(saved, user); });
  };
  return static_cast<std::size_t>(std::ranges::find_if_not(entries, all_saved) - entries.begin());
}

}  // namespace seonchak
