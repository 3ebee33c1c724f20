#include "core/chain/consumer.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"
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
      bare_(gate, catalog, options.bare, options.backoff),
      saver_(store, log, catalog, metrics),
      repair_(store, outbox, metrics, options.repair),
      waiting_(log, options.waiting, options.backoff),
      saved_(metrics.counter("seonchak_consumer_saved_total",
                             "Events committed in the store, repeats included.")),
      dead_letters_(
          metrics.counter("seonchak_consumer_dead_letters_total", "Records sent to the dead-letter topic.")),
      retries_(metrics.counter("seonchak_consumer_retries_total",
                               "Waits for the store, the gate or the log to come back.")),
      stalled_seconds_(
          metrics.gauge("seonchak_consumer_stalled_seconds",
                        "For how long the oldest batch of which something waits has been waiting.")),
      waiting_records_(metrics.gauge("seonchak_consumer_waiting_records",
                                     "Records read and set aside, since they must wait.")),
      partitions_(
          metrics.gauge("seonchak_consumer_partitions", "Partitions of the log that are this member's.")) {
  if (failpoint("trim_before_commit")) {
    saver_.before_commit = [this](const SaveBatch& rows) {
      for (const IssuedEvent& event : rows.events) raise({event.coupon_id, event.sequence, event.epoch});
      raise_persisted();
    };
  }
}

milliseconds Consumer::step(milliseconds wait) {
  if (const milliseconds left = until(store_and_log_.retry_at()); left.count() > 0) {
    tell_health();
    return left;
  }
  milliseconds pause{0};
  if (to_resume_) {
    idle_ = false;
    resume();
  } else {
    if (!batch_ && !try_again()) pause = read_on(wait);
    if (batch_) go_on();
    if (!batch_ && !to_resume_) move_position();
  }
  if (pause.count() == 0) {
    raise_persisted();
    repair();
  }
  log_left_out();
  tell_health();
  return std::max(pause, until(store_and_log_.retry_at()));
}

milliseconds Consumer::since(TimePoint time) {
  return std::chrono::duration_cast<milliseconds>(ticker().now() - time);
}

milliseconds Consumer::until(TimePoint time) const {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(time - ticker().now()));
}

// By turns with what is new, so that many that wait hold up nobody else.
bool Consumer::try_again() {
  if (waiting_.empty() || std::exchange(tried_again_, false)) return false;
  batch_ =
      waiting_.take_due([this](const std::string& id) { return bare_.due(id); }, options_.batch_records_max);
  if (!batch_) return false;
  polled_ = false;
  saver_.forget();
  return true;
}

/// Returns when to come again; nothing is read before.
milliseconds Consumer::read_on(milliseconds wait) {
  if (!waiting_.empty()) compare_position();  // nothing is saved with it meanwhile
  if (to_resume_) return milliseconds(0);
  const milliseconds next = waiting_.empty() ? wait : until(next_try());
  if (waiting_.full()) {
    (void)read(0, milliseconds(0));
    return std::max(next, milliseconds(1));
  }
  // Few large transactions cost the database less than many small ones.
  if (wait.count() > 0) {
    if (const milliseconds left = until(next_poll_); left.count() > 0) return std::min(left, next);
  }
  poll(std::min(wait, next));
  return milliseconds(0);
}

Consumer::TimePoint Consumer::next_try() {
  TimePoint next = ticker().now() + options_.backoff.max;
  if (const auto due = waiting_.due([this](const std::string& id) { return bare_.due(id); }))
    next = std::min(next, *due);
  if (waiting_.settled() != nullptr) next = std::min(next, position_alone_.retry_at());
  return next;
}

void Consumer::poll(milliseconds wait) {
  const auto began = ticker().now();
  idle_ = false;
  auto records = read(options_.batch_records_max, wait);
  if (!records) return;
  const bool full = records->size() >= options_.batch_records_max;
  std::erase_if(*records, [this](const LogRecord& record) { return !position_.contains(record.partition); });
  log_is_quiet_ = records->empty();
  idle_ = log_is_quiet_ && waiting_.empty();
  progressed();
  if (log_is_quiet_) return compare_position();
  batch_.emplace(std::move(*records), began);
  polled_ = true;
  bare_.forget_unless([this](const std::string& id) { return waiting_.bare_wait(id); });
  saver_.forget();
  waiting_.hold_back(*batch_);
  if (!full && !somebody_waits()) next_poll_ = began + options_.gather;
}

// Nothing when the log is away, or the partitions are others now.
std::optional<std::vector<LogRecord>> Consumer::read(std::size_t records_max, milliseconds wait) {
  auto polled = log_.poll(records_max, wait);
  if (!polled) {
    hold("log", polled.error());
    return std::nullopt;
  }
  if (!polled->reassigned) return std::move(polled->records);
  waiting_.clear();
  to_resume_ = std::move(polled->partitions);
  resume();
  return std::nullopt;
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

// Nobody but us moves it, so it can only be lower when the store has fallen back to what it was.
void Consumer::compare_position() {
  const auto time = ticker().now();
  if (time < next_compare_) return;
  next_compare_ = time + options_.compare_period;
  const auto stored = store_.positions(log_.group(), log_.topic());
  if (!stored) return;
  for (const auto& [partition, own] : position_) {
    const auto found = std::ranges::find(*stored, partition, &LogPosition::partition);
    const std::int64_t next = found == stored->end() ? 0 : found->next_offset;
    if (next >= own) continue;
    log::warn("the store's log position has fallen back: reading what comes after it again",
              {{"partition", partition}, {"was", own}, {"is", next}});
    return resume_from_store();
  }
}

// What is under way, or waits, is read again from there, by whoever has the partition then.
void Consumer::resume_from_store() {
  batch_.reset();
  waiting_.clear();
  to_resume_.emplace();
  for (const auto& [partition, next] : position_) to_resume_->push_back(partition);
}

void Consumer::resume() {
  position_.clear();
  repair_.forget();
  auto positions = store_.positions(log_.group(), log_.topic());
  if (!positions) return hold("store", positions.error());
  std::erase_if(*positions, [&](const LogPosition& position) {
    return std::ranges::find(*to_resume_, position.partition) == to_resume_->end();
  });
  if (const auto started = log_.start_at(*positions); !started) return hold("log", started.error());
  for (const std::int32_t partition : *to_resume_) position_[partition] = 0;
  for (const LogPosition& position : *positions) position_[position.partition] = position.next_offset;
  next_compare_ = ticker().now() + options_.compare_period;
  // A commit in doubt that did take effect is told here.
  log_.committed(*positions);
  to_resume_.reset();
  partitions_.set(static_cast<std::int64_t>(position_.size()));
  bare_.forget_unless([](const std::string&) { return false; });
  position_alone_.succeed();
  progressed();
}

void Consumer::go_on() {
  if (!sort()) return;
  bool all_tried = true;
  if (batch_->has(Fate::bare)) {
    const auto turn = bare_.step(*batch_);
    all_tried = !turn.more;
    if (turn.waiting) {
      retries_.add();
      if (waiting_.bare_refused(turn.waiting->message)) log_wait("gate", *turn.waiting);
    }
  }
  send_letters();
  save(all_tried);
}

bool Consumer::sort() {
  if (batch_->sort(catalog_)) return true;
  if (const auto refreshed = catalog_.catalog().refresh(); !refreshed) {
    hold("store", refreshed.error());
    return false;
  }
  if (!batch_->sort(catalog_)) batch_->refuse_unknown();
  return true;
}

void Consumer::send_letters() {
  // Together, once it is known which they are.
  if (batch_->letters().empty() || saver_.in_pieces() || !waiting_.letters_due()) return;
  batch_->sort_letters();
  const auto began = ticker().now();
  if (const auto sent = log_.dead_letter(batch_->letters()); !sent) {
    if (waiting_.letters_refused(sent.error().message, since(began)))
      log_wait("dead-letter topic", sent.error());
    retries_.add();
    return;
  }
  waiting_.letters_taken();
  for (const auto& [record, reason] : batch_->letters_sent()) {
    dead_letters_.add();
    if (const auto left_out = log_limit_.line(kind_of_reason(reason)))
      log::warn("record dead-lettered", {{"partition", record->partition},
                                         {"offset", record->offset},
                                         {"reason", reason},
                                         {"left_out_before", *left_out}});
    // The dead-letter topic has it now: the outbox need not keep it.
    const auto* event = std::get_if<IssuedEvent>(&record->message);
    const auto coupon = event != nullptr ? catalog_.find(event->coupon_id) : nullptr;
    if (coupon && coupon->epoch == event->epoch) {
      rejected(*event);
      handled(*event);
    }
  }
}

// Rows are saved without the position while anything else, of this batch or before it, must wait.
void Consumer::save(bool all_tried) {
  const bool nothing_waits =
      !batch_->has(Fate::bare) && !batch_->has(Fate::aside) && batch_->letters().empty();
  const auto began = ticker().now();
  switch (saver_.step(*batch_, position_, polled_ && waiting_.empty() && nothing_waits)) {
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
      return hold("store", saver_.why());
    case BatchSaver::Outcome::split:
      return;
    case BatchSaver::Outcome::aside:
      retries_.add();
      if (waiting_.rows_refused(saver_.coupon(), saver_.why().message, since(began)))
        log_wait("store, for the rows of coupon " + saver_.coupon(), saver_.why());
      return;
    case BatchSaver::Outcome::put_off:
      return waiting_.rows_put_off(saver_.coupon(), saver_.why().message);
    case BatchSaver::Outcome::idle:
      if (all_tried) put_away();
      return;
  }
}

// All has been tried that could be.
void Consumer::put_away() {
  if (polled_) {
    waiting_.set_aside(std::move(*batch_));
  } else {
    waiting_.give_back(std::move(*batch_));
    tried_again_ = true;
  }
  batch_.reset();
}

void Consumer::move_position() {
  const auto* ends = waiting_.settled();
  if (ends == nullptr || until(position_alone_.retry_at()).count() > 0) return;
  switch (saver_.move(*ends, position_)) {
    case BatchSaver::Outcome::moved:
      waiting_.moved();
      position_alone_.succeed();
      position_waits_for_.clear();
      return after_commit(saver_.committed());
    case BatchSaver::Outcome::fenced:
      log::warn("another consumer has moved the log position: reading it again from the store");
      return resume_from_store();
    case BatchSaver::Outcome::stuck:
      return hold("store", saver_.why());
    default:
      position_alone_.fail(options_.backoff);
      retries_.add();
      if (std::exchange(position_waits_for_, saver_.why().message) != saver_.why().message)
        log_wait("log position", saver_.why());
      return;
  }
}

}  // namespace seonchak
