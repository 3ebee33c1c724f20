#include "core/chain/consumer.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"
#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

using std::chrono::milliseconds;

Consumer::Consumer(EventConsumer& log, Store& store, Outbox& outbox, GateControl& gate,
                   CatalogReader& catalog, Watermarks& watermarks, Metrics& metrics, Health& health,
                   ConsumerOptions options)
    : log_(log),
      outbox_(outbox),
      store_(store),
      catalog_(catalog),
      watermarks_(watermarks),
      health_(health),
      options_(options),
      bare_(gate, catalog, options.bare),
      saver_(store, log, catalog, metrics),
      repair_(store, outbox, metrics, options.repair),
      store_and_log_{{}, options.backoff_min},
      outside_{{}, options.backoff_min},
      saved_(metrics.counter("seonchak_consumer_saved_total",
                             "Events committed in the store, repeats included.")),
      dead_letters_(
          metrics.counter("seonchak_consumer_dead_letters_total", "Records sent to the dead-letter topic.")),
      retries_(metrics.counter("seonchak_consumer_retries_total",
                               "Waits for the store, the gate or the log to come back.")),
      stalled_seconds_(metrics.gauge("seonchak_consumer_stalled_seconds",
                                     "How long the batch under way has been waiting; 0 when none is.")) {
  if (failpoint("trim_before_commit")) {
    saver_.before_commit = [this](const SaveBatch& rows) {
      for (const IssuedEvent& event : rows.events) raise({event.coupon_id, event.sequence, event.epoch});
      raise_persisted();
    };
  }
}

milliseconds Consumer::step(milliseconds wait) {
  if (const milliseconds left = until(store_and_log_.retry_at); left.count() > 0) {
    tell_health();
    return left;
  }
  const bool nothing_begun = !batch_ && !to_resume_;
  // Few large transactions cost the database less than many small ones.
  if (nothing_begun && wait.count() > 0) {
    if (const milliseconds left = until(next_poll_); left.count() > 0) return left;
  }
  idle_ = false;
  store_and_log_.retry_at = {};
  if (to_resume_) {
    resume();
  } else {
    if (!batch_) poll(wait);
    if (batch_) go_on();
  }
  raise_persisted();
  repair();
  tell_health();
  return until(store_and_log_.retry_at);
}

milliseconds Consumer::until(TimePoint time) const {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(time - ticker().now()));
}

void Consumer::poll(milliseconds wait) {
  const auto began = ticker().now();
  auto polled = log_.poll(options_.batch_records_max, wait);
  if (!polled) return hold(store_and_log_, "log", polled.error());
  if (polled->reassigned) {
    to_resume_ = std::move(polled->partitions);
    return resume();
  }
  const bool full = polled->records.size() >= options_.batch_records_max;
  std::erase_if(polled->records,
                [this](const LogRecord& record) { return !position_.contains(record.partition); });
  idle_ = polled->records.empty();
  progressed();
  if (idle_) return;
  batch_.emplace(std::move(polled->records), began);
  outside_ = {{}, options_.backoff_min};
  bare_.forget();
  saver_.forget();
  if (!full && !somebody_waits()) next_poll_ = began + options_.gather;
}

bool Consumer::somebody_waits() {
  std::string_view last;
  for (const LogRecord& record : batch_->records()) {
    const auto* event = std::get_if<IssuedEvent>(&record.message);
    if (event == nullptr || event->coupon_id == last) continue;
    last = event->coupon_id;
    const auto coupon = catalog_.find(last);
    if (coupon && coupon->ack == Ack::store) return true;
  }
  return false;
}

// What is under way is read again from there, by whoever has the partition then.
void Consumer::resume_from_store() {
  batch_.reset();
  to_resume_.emplace();
  for (const auto& [partition, next] : position_) to_resume_->push_back(partition);
}

void Consumer::resume() {
  position_.clear();
  repair_.forget();
  auto positions = store_.positions(log_.group(), log_.topic());
  if (!positions) return hold(store_and_log_, "store", positions.error());
  std::erase_if(*positions, [&](const LogPosition& position) {
    return std::ranges::find(*to_resume_, position.partition) == to_resume_->end();
  });
  if (const auto started = log_.start_at(*positions); !started)
    return hold(store_and_log_, "log", started.error());
  for (const std::int32_t partition : *to_resume_) position_[partition] = 0;
  for (const LogPosition& position : *positions) position_[position.partition] = position.next_offset;
  // A commit in doubt that did take effect is told here.
  log_.committed(*positions);
  to_resume_.reset();
  progressed();
}

// Rows are saved without the position while anything else of the batch must wait.
void Consumer::go_on() {
  if (!sort()) return;
  if (until(outside_.retry_at).count() == 0) {
    const auto undecided = bare_.step(*batch_);
    if (undecided) hold(outside_, "gate", *undecided);
    if (send_letters() && !undecided) outside_ = {{}, options_.backoff_min};
  }
  save();
}

bool Consumer::sort() {
  if (batch_->sort(catalog_)) return true;
  if (const auto refreshed = catalog_.catalog().refresh(); !refreshed) {
    hold(store_and_log_, "store", refreshed.error());
    return false;
  }
  if (!batch_->sort(catalog_)) batch_->refuse_unknown();
  return true;
}

bool Consumer::send_letters() {
  if (batch_->letters().empty()) return true;
  batch_->sort_letters();
  if (const auto sent = log_.dead_letter(batch_->letters()); !sent) {
    hold(outside_, "dead-letter topic", sent.error());
    return false;
  }
  for (const auto& [record, reason] : batch_->letters_sent()) {
    dead_letters_.add();
    log::warn("record dead-lettered",
              {{"partition", record->partition}, {"offset", record->offset}, {"reason", reason}});
    // The dead-letter topic has it now: the outbox need not keep it.
    const auto* event = std::get_if<IssuedEvent>(&record->message);
    const auto coupon = event != nullptr ? catalog_.find(event->coupon_id) : nullptr;
    if (coupon && coupon->epoch == event->epoch) handled(*event);
  }
  return true;
}

void Consumer::save() {
  const bool may_move = !batch_->has(Fate::bare) && batch_->letters().empty();
  switch (saver_.step(*batch_, position_, may_move)) {
    case BatchSaver::Outcome::moved:
      after_commit(saver_.committed());
      batch_.reset();
      return;
    case BatchSaver::Outcome::saved:
      return after_commit(saver_.committed());
    case BatchSaver::Outcome::fenced:
      log::warn("another consumer has moved the log position: reading it again from the store");
      return resume_from_store();
    case BatchSaver::Outcome::stuck:
      return hold(store_and_log_, "store", saver_.why());
    case BatchSaver::Outcome::split:
      return;
    case BatchSaver::Outcome::idle:
      store_and_log_.retry_at = outside_.retry_at;
      return;
  }
}

void Consumer::after_commit(const SaveBatch& rows) {
  progressed();
  saved_.add(rows.events.size());
  std::vector<LogPosition> positions;
  for (const PositionChange& change : rows.positions) {
    position_[change.partition] = change.next;
    positions.push_back({change.partition, change.next, change.fingerprint});
  }
  // Only events of the present epoch say how far the outbox of that epoch has come.
  std::unordered_map<std::string_view, Epoch> epochs;
  for (const CouponEpoch& coupon : rows.epochs) epochs.emplace(coupon.coupon_id, coupon.epoch);
  repair_.expect(rows.epochs);
  for (const IssuedEvent& event : rows.events) {
    const auto present = epochs.find(event.coupon_id);
    if (present != epochs.end() && present->second == event.epoch) handled(event);
  }
  watermarks_.persisted(unmarked());
  if (!positions.empty()) log_.committed(positions);
}

void Consumer::handled(const IssuedEvent& event) {
  if (const auto watermark = repair_.handled(event)) raise(*watermark);
}

void Consumer::raise(const Watermark& watermark) {
  Watermark& known = unmarked_.try_emplace(watermark.coupon_id, watermark).first->second;
  if (watermark.epoch > known.epoch ||
      (watermark.epoch == known.epoch && watermark.sequence > known.sequence))
    known = watermark;
}

std::vector<Watermark> Consumer::unmarked() const {
  std::vector<Watermark> watermarks;
  for (const auto& [coupon_id, watermark] : unmarked_) watermarks.push_back(watermark);
  return watermarks;
}

void Consumer::raise_persisted() {
  if (unmarked_.empty()) return;
  const std::vector<Watermark> watermarks = unmarked();
  const auto answers = outbox_.raise_persisted(watermarks);
  invariant(answers.size() == watermarks.size(), one_answer_each);
  for (std::size_t i = 0; i < watermarks.size(); ++i) {
    // Of a coupon that cannot be used the repair raises the watermark again, later.
    const bool again = !answers[i] && answers[i].error().code == Errc::unavailable;
    if (!answers[i])
      log::debug("outbox not trimmed yet",
                 {{"coupon", watermarks[i].coupon_id}, {"why", answers[i].error().message}});
    if (!again) unmarked_.erase(watermarks[i].coupon_id);
  }
}

void Consumer::repair() {
  const auto watermarks = repair_.step(catalog_.current(), {log_.group(), log_.topic()}, idle_);
  for (const Watermark& watermark : watermarks) raise(watermark);
  watermarks_.persisted(watermarks);
}

// The same wait is logged once, however often it is tried again.
void Consumer::hold(Hold& held, std::string_view what, const Error& error) {
  retries_.add();
  std::string waits_for = std::string(what) + ": " + error.message;
  if (waits_for != waits_for_)
    log::warn("consumer waits", {{"for", what}, {"code", to_string(error.code)}, {"why", error.message}});
  waits_for_ = std::move(waits_for);
  if (!stuck_since_) stuck_since_ = ticker().now();
  held.retry_at = ticker().now() + held.backoff;
  held.backoff = std::min(held.backoff * 2, options_.backoff_max);
}

void Consumer::progressed() {
  store_and_log_.backoff = options_.backoff_min;
}

void Consumer::tell_health() {
  const bool under_way = batch_ || to_resume_;
  const auto since = batch_ ? std::optional(batch_->polled_at()) : stuck_since_;
  if (!under_way) {
    stuck_since_.reset();
    waits_for_.clear();
  }
  const auto waited = under_way && since ? ticker().now() - *since : std::chrono::nanoseconds(0);
  stalled_seconds_.set(std::chrono::duration_cast<std::chrono::seconds>(waited).count());
  const bool stalled = waited >= options_.stalled_after;
  if (stalled == told_stalled_) return;
  told_stalled_ = stalled;
  if (stalled) {
    health_.note("consumer", Error{Errc::unavailable, "the batch under way waits for the " + waits_for_});
  } else {
    health_.note("consumer", {});
  }
}

}  // namespace seonchak
