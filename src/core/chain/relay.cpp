#include "core/chain/relay.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"
#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds report_wait{1};
constexpr milliseconds check_period{1'000};

/// Whether some coupon has as many entries as were asked for, so that more may wait.
bool any_full(const std::vector<OutboxEntry>& entries, std::size_t entries_max) {
  std::size_t of_coupon = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    of_coupon = i > 0 && entries[i].coupon_id == entries[i - 1].coupon_id ? of_coupon + 1 : 1;
    if (of_coupon >= entries_max) return true;
  }
  return false;
}

}  // namespace

Relay::Relay(Outbox& outbox, EventPublisher& publisher, CatalogReader& catalog, Watermarks& watermarks,
             Metrics& metrics, Health& health, RelayOptions options)
    : outbox_(outbox),
      publisher_(publisher),
      catalog_(catalog),
      watermarks_(watermarks),
      health_(health),
      options_(std::move(options)),
      leases_(outbox, catalog, watermarks, options_.leases),
      published_(metrics.counter("seonchak_relay_published_total", "Events the log has confirmed.")),
      replays_(metrics.counter("seonchak_relay_replays_total",
                               "Times the publisher lost its queue and the outbox was read again.")),
      leases_count_(metrics.gauge("seonchak_relay_leases", "Coupons this relay serves at the moment.")),
      stuck_(metrics.gauge("seonchak_relay_coupons_stuck",
                           "Coupons whose outbox has something, but cannot be used.")),
      age_seconds_(metrics.gauge("seonchak_outbox_age_seconds",
                                 "How long the oldest entry known here has been waiting for the log.")) {}

milliseconds Relay::step(milliseconds wait) {
  check();
  if (const milliseconds left = until(retry_at_); left.count() > 0) return left;
  if (auto leased = look_after_leases(wait.count() == 0); !leased) return back_off(leased.error());

  take_report(milliseconds(0));
  publish_backlog();
  if (auto marked = mark_confirmed(); !marked) return back_off(marked.error());

  const bool too_soon = wait.count() > 0 && ticker().now() < next_read_;
  const bool room = !too_soon && publisher_.in_flight() < options_.in_flight_events_max;
  std::size_t events = 0;
  if (room) {
    const bool waits = publisher_.in_flight() == 0 && backlogs_.empty();
    auto read =
        read_outbox(waits ? std::min({wait, options_.read_wait_max, until(leases_.due())}) : milliseconds(0));
    if (!read) return back_off(read.error());
    events = *read;
    publish_backlog();
  }
  idle_ = room && events == 0 && backlogs_.empty();
  // With a backlog and nothing in flight the publisher is full or starting anew: its poll waits for that to
  // change.
  if (publisher_.in_flight() > 0 || !backlogs_.empty()) {
    take_report(events > 0 ? milliseconds(0) : report_wait);
    if (auto marked = mark_confirmed(); !marked) return back_off(marked.error());
  }
  trouble_.reset();
  return come_again(too_soon, events);
}

milliseconds Relay::come_again(bool too_soon, std::size_t events) const {
  if (publisher_.in_flight() > 0 || !backlogs_.empty() || events > 0) return milliseconds(0);
  const milliseconds due = until(leases_.due());
  if (too_soon) return std::min(due, until(next_read_));
  const bool waits_in_read = !positions_.empty() && options_.read_wait_max.count() > 0;
  return waits_in_read ? milliseconds(0) : due;
}

milliseconds Relay::until(TimePoint time) const {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(time - ticker().now()));
}

milliseconds Relay::back_off(const Error& error) {
  idle_ = false;
  leases_.renew_now();
  log::debug("relay waits", {{"code", to_string(error.code)}, {"why", error.message}});
  if (!trouble_) trouble_ = {ticker().now(), {}};
  trouble_->why = error.message;
  retry_at_ = ticker().now() + options_.backoff;
  return options_.backoff;
}

void Relay::check() {
  const auto time = ticker().now();
  if (time < next_check_) return;
  // Besides, it brings back a topic that was deleted.
  if (const auto checked = publisher_.check(); !checked)
    log::debug("the log does not answer the relay", {{"why", checked.error().message}});
  next_check_ = ticker().now() + check_period;
  tell_health(time);
}

void Relay::tell_health(TimePoint time) {
  auto oldest = std::chrono::nanoseconds(0);
  std::string coupon;
  for (const auto& [id, position] : positions_) {
    if (position.unconfirmed.empty() || time - position.unconfirmed.front().second <= oldest) continue;
    oldest = time - position.unconfirmed.front().second;
    coupon = id;
  }
  const auto stuck = leases_.longest_stuck();
  const auto stuck_for = stuck ? time - stuck->since : std::chrono::nanoseconds(0);
  leases_count_.set(static_cast<std::int64_t>(positions_.size()));
  stuck_.set(static_cast<std::int64_t>(leases_.stuck()));
  age_seconds_.set(std::chrono::duration_cast<std::chrono::seconds>(std::max(oldest, stuck_for)).count());
  if (trouble_ && time - trouble_->since >= options_.stalled_after)
    return health_.note("relay", Error{Errc::unavailable, "no outbox can be served: " + trouble_->why});
  if (stuck && stuck_for >= options_.stalled_after)
    return health_.note("relay", Error{Errc::unavailable, "the outbox of coupon " + stuck->coupon_id +
                                                              " cannot be used: " + stuck->why});
  if (oldest >= options_.stalled_after)
    return health_.note("relay",
                        Error{Errc::unavailable, "events of coupon " + coupon + " wait for the log"});
  health_.note("relay", {});
}

Result<void> Relay::look_after_leases(bool all_now) {
  const auto changes = leases_.step(all_now, [this](const std::string& id, const Outbox::Progress& progress) {
    return is_drained(id, progress);
  });
  if (!changes) return changes.error();
  for (const auto& [id, progress] : *changes) {
    if (progress) {
      adopt(id, *progress);
    } else {
      positions_.erase(id);
    }
  }
  return {};
}

bool Relay::is_drained(const std::string& coupon_id, const Outbox::Progress& progress) const {
  const auto found = positions_.find(coupon_id);
  if (found == positions_.end()) return true;
  const Position& position = found->second;
  if (position.epoch != progress.epoch || position.read > position.confirmed) return false;
  if (position.confirmed > position.marked) return false;
  // Whoever takes it up after us would begin where the store ends, and fill a log that forgets once more.
  return publisher_.durable() || progress.persisted >= position.confirmed;
}

void Relay::adopt(const std::string& coupon_id, const Outbox::Progress& progress) {
  const auto known = positions_.find(coupon_id);
  if (known != positions_.end() && known->second.epoch == progress.epoch) return;
  // A log that forgets when its process ends holds nothing for the next one: begin where the store ends.
  const Sequence start = publisher_.durable() ? progress.published : progress.persisted;
  Position position{start, start, start, progress.epoch, progress.rebuilt};
  if (failpoint("skip_outbox_entry_on_adopt")) position.read += 1;
  positions_.insert_or_assign(coupon_id, std::move(position));
  if (const auto hole = holes_.find(coupon_id); hole != holes_.end() && hole->second.epoch != progress.epoch)
    holes_.erase(hole);
  next_read_ = {};
}

void Relay::take_report(milliseconds wait) {
  const EventPublisher::Report report = publisher_.poll(wait);
  for (const Watermark& watermark : report.confirmed) {
    const auto found = positions_.find(watermark.coupon_id);
    if (found == positions_.end() || found->second.epoch != watermark.epoch) continue;
    Position& position = found->second;
    if (watermark.sequence > position.confirmed)
      published_.add(static_cast<std::uint64_t>(watermark.sequence - position.confirmed));
    position.confirmed = std::max(position.confirmed, watermark.sequence);
    auto& unconfirmed = position.unconfirmed;
    while (!unconfirmed.empty() && unconfirmed.front().first <= position.confirmed) unconfirmed.pop_front();
  }
  watermarks_.published(report.confirmed);
  if (report.lost && !failpoint("no_rewind")) rewind();
}

void Relay::rewind() {
  log::warn("the publisher lost its queue: reading the outbox again");
  replays_.add();
  idle_ = false;
  backlogs_.clear();
  for (auto& [id, position] : positions_) {
    position.backlog.clear();
    position.read = position.confirmed;
  }
}

Result<void> Relay::mark_confirmed() {
  std::vector<Watermark> watermarks;
  for (const auto& [id, position] : positions_) {
    if (position.confirmed > position.marked) watermarks.push_back({id, position.confirmed, position.epoch});
  }
  if (watermarks.empty()) return {};
  const auto answers = outbox_.raise_published(watermarks);
  invariant(answers.size() == watermarks.size(), one_answer_each);
  if (const auto down = nobody_reached(answers)) return *down;
  for (std::size_t i = 0; i < watermarks.size(); ++i) {
    // Of a coupon that cannot be used the next watermark is tried, not this one for ever.
    const bool again = !answers[i] && answers[i].error().code == Errc::unavailable;
    if (!again) positions_[watermarks[i].coupon_id].marked = watermarks[i].sequence;
  }
  return {};
}

Result<std::size_t> Relay::read_outbox(milliseconds wait) {
  std::vector<Watermark> after;
  after.reserve(positions_.size());
  for (const auto& [id, position] : positions_) {
    if (position.backlog.empty()) after.push_back({id, position.read, position.epoch});
  }
  if (after.empty()) return std::size_t{0};
  auto read = outbox_.read(after, options_.entries_max, wait);
  if (!read) return read.error();

  std::size_t events = 0;
  bool somebody_waits = false;
  std::vector<const OutboxEntry*> after_holes;
  for (OutboxEntry& entry : read->entries) {
    const auto coupon = catalog_.find(entry.coupon_id);
    somebody_waits = somebody_waits || (coupon && coupon->ack != Ack::gate);
    const auto found = positions_.find(entry.coupon_id);
    if (found == positions_.end()) continue;  // nobody asked for it
    Position& position = found->second;
    if (entry.epoch != position.epoch) {
      leases_.renew_now();  // recovered meanwhile: begin anew where the gate says
      continue;
    }
    const bool stopped = !after_holes.empty() && after_holes.back()->coupon_id == entry.coupon_id;
    if (stopped) continue;
    const auto next = follows(entry, position);
    if (!next) break;  // the next read has it again
    if (*next) {
      events += take(entry, position);
    } else {
      after_holes.push_back(&entry);
    }
  }
  note_read(read->entries);
  for (const auto& [id, error] : read->failed) {
    leases_.cannot_use(id, error);
    positions_.erase(id);
  }
  for (const OutboxEntry* entry : after_holes) stop_at_hole(*entry);
  leases_.could_read();
  const bool all_was_read = !any_full(read->entries, options_.entries_max);
  if (events > 0 && all_was_read && !somebody_waits) next_read_ = ticker().now() + options_.gather;
  return events;
}

std::size_t Relay::take(OutboxEntry& entry, Position& position) {
  std::size_t events = 0;
  for (std::size_t i = 0; i < entry.users.size(); ++i) {
    const Sequence sequence = entry.first_sequence + static_cast<std::int64_t>(i);
    if (sequence <= position.read) continue;
    if (position.backlog.empty()) backlogs_.push_back(entry.coupon_id);
    position.backlog.push_back(
        {entry.coupon_id, std::move(entry.users[i]), sequence, entry.issued_at, entry.epoch});
    ++events;
  }
  position.read = std::max(position.read, entry.last_sequence());
  return events;
}

// What is missing may have been saved and trimmed: then the gate has a higher watermark by now. Nothing when
// it does not answer.
std::optional<bool> Relay::follows(const OutboxEntry& entry, const Position& position) {
  if (entry.first_sequence <= std::max(position.read, position.rebuilt) + 1) return true;
  const auto gate = outbox_.progress({&entry.coupon_id, 1}).front();
  if (!gate && gate.error().code == Errc::unavailable) return std::nullopt;
  return gate && gate->epoch == position.epoch && entry.first_sequence <= gate->persisted + 1;
}

// What comes before it goes its way first. Once that is saved and trimmed, Outbox::progress says what is
// gone.
void Relay::stop_at_hole(const OutboxEntry& after) {
  const Position& position = positions_.at(after.coupon_id);
  const Watermark place{after.coupon_id, after.first_sequence, after.epoch};
  if (Watermark& told = holes_[after.coupon_id]; told != place) {
    told = place;
    log::error("an outbox has a hole: its coupon waits to be recovered",
               {{"coupon", after.coupon_id}, {"after", position.read}, {"next", after.first_sequence}});
  }
  if (position.marked < position.read) return;
  leases_.cannot_use(after.coupon_id, {Errc::gate_behind, "an entry of its outbox is gone"});
  positions_.erase(after.coupon_id);
}

void Relay::note_read(const std::vector<OutboxEntry>& entries) {
  const auto time = ticker().now();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool last_of_coupon = i + 1 == entries.size() || entries[i + 1].coupon_id != entries[i].coupon_id;
    const auto found = positions_.find(entries[i].coupon_id);
    if (!last_of_coupon || found == positions_.end()) continue;
    Position& position = found->second;
    leases_.busy(entries[i].coupon_id);
    const Sequence before =
        position.unconfirmed.empty() ? position.confirmed : position.unconfirmed.back().first;
    if (position.read > before) position.unconfirmed.emplace_back(position.read, time);
  }
}

// Coupon by coupon: the publisher may have no room for one, and for the next it has.
void Relay::publish_backlog() {
  std::vector<std::string> left;
  for (std::string& id : std::exchange(backlogs_, {})) {
    const auto found = positions_.find(id);
    if (found == positions_.end()) continue;
    std::vector<IssuedEvent>& backlog = found->second.backlog;
    const std::size_t taken = publisher_.publish(backlog);
    invariant(taken <= backlog.size(), "a publisher takes what it is given");
    backlog.erase(backlog.begin(), backlog.begin() + static_cast<std::ptrdiff_t>(taken));
    if (!backlog.empty()) left.push_back(std::move(id));
  }
  backlogs_ = std::move(left);
}

void Relay::release() {
  leases_.release();
  positions_.clear();
  backlogs_.clear();
  retry_at_ = {};
  idle_ = false;
}

}  // namespace seonchak
