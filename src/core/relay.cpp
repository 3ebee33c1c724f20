#include "core/relay.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/planted.hpp"
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

Relay::Relay(Outbox& outbox, EventPublisher& publisher, CatalogReader& catalog, ProgressBoard& board,
             Metrics& metrics, Health& health, RelayOptions options)
    : outbox_(outbox),
      publisher_(publisher),
      catalog_(catalog),
      board_(board),
      health_(health),
      options_(std::move(options)),
      published_(metrics.counter("seonchak_relay_published_total", "Events the log has confirmed.")),
      replays_(metrics.counter("seonchak_relay_replays_total",
                               "Times the publisher lost its queue and the outbox was read again.")) {}

void Relay::step(milliseconds wait) {
  check_log();
  if (auto leased = renew_leases(); !leased) return back_off(leased.error());

  take_report(milliseconds(0));
  publish_backlog();
  if (auto marked = mark_confirmed(); !marked) return back_off(marked.error());

  const bool too_soon = wait.count() > 0 && ticker().now() < next_read_;
  const bool room = !too_soon && backlog_.empty() && publisher_.in_flight() < options_.in_flight_events_max;
  std::size_t events = 0;
  if (room) {
    auto read = read_outbox(publisher_.in_flight() > 0 ? milliseconds(0) : wait);
    if (!read) return back_off(read.error());
    events = *read;
    publish_backlog();
  }
  idle_ = room && events == 0;
  // With a backlog and nothing in flight the publisher is full or starting anew: its poll waits for that to
  // change.
  if (publisher_.in_flight() > 0 || !backlog_.empty()) {
    take_report(events > 0 && backlog_.empty() ? milliseconds(0) : report_wait);
    if (auto marked = mark_confirmed(); !marked) back_off(marked.error());
  } else if (too_soon) {
    ticker().sleep_for(report_wait);
  }
}

void Relay::back_off(const Error& error) {
  idle_ = false;
  next_lease_ = {};
  log::debug("relay waits", {{"code", to_string(error.code)}, {"why", error.message}});
  ticker().sleep_for(options_.backoff);
}

void Relay::check_log() {
  const auto time = ticker().now();
  if (time < next_check_) return;
  health_.note("log", publisher_.check());
  next_check_ = ticker().now() + check_period;
}

Result<void> Relay::renew_leases() {
  const auto time = ticker().now();
  const bool all = time >= next_lease_;
  const CatalogSnapshot& catalog = catalog_.current();
  if (!all && leased_version_ == catalog_.version()) return {};
  if (all) asked_.clear();

  const std::vector<std::string> ids = changed_since_asked(catalog);
  const auto leased = outbox_.lease(ids, options_.owner, options_.lease_ttl);
  if (const auto down = nobody_reached(leased)) return *down;
  std::vector<std::string> owned;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (leased[i] && *leased[i]) owned.push_back(ids[i]);
  }
  const auto progress = outbox_.progress(owned);
  if (const auto down = nobody_reached(progress)) return *down;
  adopt(ids, owned, progress);
  if (all) next_lease_ = time + options_.lease_period;
  leased_version_ = catalog_.version();
  return {};
}

// Of a thousand coupons one more costs one lease, not a thousand and one.
std::vector<std::string> Relay::changed_since_asked(const CatalogSnapshot& catalog) {
  std::vector<std::string> ids = catalog.open_ids();
  std::erase_if(ids, [&](const std::string& id) {
    const std::int64_t revision = catalog.find(id)->revision;
    return std::exchange(asked_[id], revision) == revision;
  });
  return ids;
}

void Relay::adopt(const std::vector<std::string>& asked, const std::vector<std::string>& owned,
                  const PerCoupon<Outbox::Progress>& progress) {
  std::unordered_map<std::string, Position> positions;
  for (std::size_t i = 0; i < owned.size(); ++i) {
    if (!progress[i]) continue;
    const std::int64_t epoch = progress[i]->epoch;
    if (epoch == 0) continue;  // shut: its outbox is being written anew
    if (const auto known = positions_.find(owned[i]);
        known != positions_.end() && known->second.epoch == epoch) {
      positions.insert(*known);
      continue;
    }
    // A log that forgets when its process ends holds nothing for the next one: begin where the store ends.
    const std::int64_t start = publisher_.durable() ? progress[i]->published : progress[i]->persisted;
    positions.emplace(owned[i], Position{start, start, start, epoch});
    if (planted("skip_outbox_entry_on_adopt")) positions.at(owned[i]).read += 1;
  }
  for (const std::string& id : asked) positions_.erase(id);
  positions_.merge(positions);
  std::erase_if(backlog_, [this](const IssuedEvent& event) {
    const auto position = positions_.find(event.coupon_id);
    return position == positions_.end() || position->second.epoch != event.epoch;
  });
}

void Relay::take_report(milliseconds wait) {
  const EventPublisher::Report report = publisher_.poll(wait);
  for (const Mark& mark : report.confirmed) {
    const auto found = positions_.find(mark.coupon_id);
    if (found == positions_.end() || found->second.epoch != mark.epoch) continue;
    Position& position = found->second;
    if (mark.sequence > position.confirmed)
      published_.add(static_cast<std::uint64_t>(mark.sequence - position.confirmed));
    position.confirmed = std::max(position.confirmed, mark.sequence);
  }
  board_.published(report.confirmed);
  if (report.lost && !planted("no_rewind")) rewind();
}

void Relay::rewind() {
  log::warn("the publisher lost its queue: reading the outbox again");
  replays_.add();
  idle_ = false;
  backlog_.clear();
  for (auto& [id, position] : positions_) position.read = position.confirmed;
}

Result<void> Relay::mark_confirmed() {
  std::vector<Mark> marks;
  for (const auto& [id, position] : positions_) {
    if (position.confirmed > position.marked) marks.push_back({id, position.confirmed, position.epoch});
  }
  if (marks.empty()) return {};
  const auto answers = outbox_.mark_published(marks);
  if (const auto down = nobody_reached(answers)) return *down;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    // Of a coupon that cannot be used the next mark is tried, not this one for ever.
    const bool again = !answers[i] && answers[i].error().code == Errc::unavailable;
    if (!again) positions_[marks[i].coupon_id].marked = marks[i].sequence;
  }
  return {};
}

Result<std::size_t> Relay::read_outbox(milliseconds wait) {
  if (positions_.empty()) {
    ticker().sleep_for(std::min(wait, options_.lease_period));
    return std::size_t{0};
  }
  std::vector<Mark> after;
  after.reserve(positions_.size());
  const auto time = ticker().now();
  for (const auto& [id, position] : positions_) {
    const auto unreadable = unreadable_.find(id);
    if (unreadable == unreadable_.end() || time >= unreadable->second)
      after.push_back({id, position.read, position.epoch});
  }
  auto read = outbox_.read(after, options_.entries_max, wait);
  if (!read) return read.error();
  leave_out(after, read->failed);

  std::size_t events = 0;
  bool somebody_waits = false;
  for (OutboxEntry& entry : read->entries) {
    const auto coupon = catalog_.find(entry.coupon_id);
    somebody_waits = somebody_waits || (coupon && coupon->ack != Ack::gate);
    Position& position = positions_[entry.coupon_id];
    if (entry.epoch != position.epoch) {
      next_lease_ = {};  // recovered meanwhile: begin anew where the gate says
      continue;
    }
    for (std::size_t i = 0; i < entry.users.size(); ++i) {
      const std::int64_t sequence = entry.first_sequence + static_cast<std::int64_t>(i);
      if (sequence <= position.read) continue;
      backlog_.push_back(
          {entry.coupon_id, std::move(entry.users[i]), sequence, entry.issued_at, entry.epoch});
      ++events;
    }
    position.read = std::max(position.read, entry.last_sequence());
  }
  const bool all_was_read = !any_full(read->entries, options_.entries_max);
  if (events > 0 && all_was_read && !somebody_waits) next_read_ = ticker().now() + options_.gather;
  return events;
}

// One that cannot be read is tried again when the leases are renewed; the others go on.
void Relay::leave_out(std::span<const Mark> asked, const std::vector<CouponFailure>& failed) {
  std::unordered_map<std::string, TimePoint> still;
  for (const auto& [coupon_id, error] : failed) {
    still[coupon_id] = ticker().now() + options_.lease_period;
    if (!unreadable_.contains(coupon_id))
      log::warn("an outbox cannot be read",
                {{"coupon", coupon_id}, {"code", to_string(error.code)}, {"why", error.message}});
  }
  for (const Mark& mark : asked) unreadable_.erase(mark.coupon_id);
  unreadable_.merge(still);
}

void Relay::publish_backlog() {
  if (backlog_.empty()) return;
  const std::size_t taken = publisher_.publish(backlog_);
  backlog_.erase(backlog_.begin(), backlog_.begin() + static_cast<std::ptrdiff_t>(taken));
}

void Relay::release() {
  std::vector<std::string> ids;
  for (const auto& [id, position] : positions_) ids.push_back(id);
  for (const auto& released : outbox_.release(ids, options_.owner)) {
    if (!released) log::debug("a lease is not given back", {{"why", released.error().message}});
  }
  positions_.clear();
  backlog_.clear();
  next_lease_ = {};
  idle_ = false;
}

}  // namespace seonchak
