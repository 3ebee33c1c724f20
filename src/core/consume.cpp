#include "core/consume.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds stop_check_period{20};

void sleep_until(std::chrono::steady_clock::time_point time) {
  const auto left = std::chrono::ceil<milliseconds>(time - ticker().now());
  if (left.count() > 0) ticker().sleep_for(left);
}

}  // namespace

Consumer::Consumer(EventConsumer& log, Store& store, Outbox& outbox, GateControl& gate,
                   CatalogReader& catalog, ProgressBoard& board, Metrics& metrics, ConsumerOptions options)
    : log_(log),
      store_(store),
      outbox_(outbox),
      gate_(gate),
      catalog_(catalog),
      board_(board),
      options_(options),
      reconciler_(store, outbox, metrics, {options.overdue}),
      saved_(metrics.counter("seonchak_consumer_saved_total",
                             "Events committed in the store, repeats included.")),
      dead_letters_(
          metrics.counter("seonchak_consumer_dead_letters_total", "Records sent to the dead-letter topic.")),
      late_(metrics.counter("seonchak_consumer_late_total",
                            "Events of an epoch before their coupon's, decided by a gate that was lost.")),
      retries_(metrics.counter("seonchak_consumer_retries_total",
                               "Waits for the store, the gate or the log to come back.")),
      commit_seconds_(
          metrics.histogram("seonchak_consumer_commit_seconds", "Duration of a store transaction.")) {}

void Consumer::step(milliseconds wait) {
  idle_ = false;
  // Few large transactions cost the database less than many small ones.
  if (wait.count() > 0) sleep_until(next_poll_);
  const auto began = ticker().now();
  auto polled = log_.poll(options_.batch_records_max, wait);
  if (!polled) {
    milliseconds backoff = options_.backoff_min;
    pause(backoff, "log", polled.error());
    return;
  }
  if (polled->reassigned) return resume(polled->partitions);
  idle_ = polled->records.empty();
  if (!idle_) consume(polled->records);
  if (!idle_ && polled->records.size() < options_.batch_records_max && !somebody_waits(polled->records))
    next_poll_ = began + options_.gather;
  mark_persisted();
  reconcile();
}

bool Consumer::somebody_waits(const std::vector<LogRecord>& records) {
  std::string_view last;
  for (const LogRecord& record : records) {
    const auto* event = std::get_if<IssuedEvent>(&record.message);
    if (event == nullptr || event->coupon_id == last) continue;
    last = event->coupon_id;
    const auto coupon = catalog_.find(last);
    if (coupon && coupon->ack == Ack::store) return true;
  }
  return false;
}

bool Consumer::pause(milliseconds& backoff, std::string_view what, const Error& error) {
  retries_.add();
  log::warn("consumer waits", {{"for", what}, {"code", to_string(error.code)}, {"why", error.message}});
  const auto until = ticker().now() + backoff;
  while (ticker().now() < until && !stopping_) ticker().sleep_for(std::min(backoff, stop_check_period));
  backoff = std::min(backoff * 2, options_.backoff_max);
  return !stopping_;
}

void Consumer::resume(const std::vector<std::int32_t>& partitions) {
  position_.clear();
  reconciler_.forget();
  milliseconds backoff = options_.backoff_min;
  while (true) {
    auto positions = store_.positions(log_.group(), log_.topic());
    if (!positions) {
      if (!pause(backoff, "store", positions.error())) return;
      continue;
    }
    std::erase_if(*positions, [&](const LogPosition& position) {
      return std::ranges::find(partitions, position.partition) == partitions.end();
    });
    const auto started = log_.start_at(*positions);
    if (!started) {
      if (!pause(backoff, "log", started.error())) return;
      continue;
    }
    for (const std::int32_t partition : partitions) position_[partition] = 0;
    for (const LogPosition& position : *positions) position_[position.partition] = position.next_offset;
    // A commit in doubt that did take effect is told here.
    log_.committed(*positions);
    return;
  }
}

void Consumer::consume(const std::vector<LogRecord>& records) {
  std::vector<const LogRecord*> kept;
  LastRecords last;
  kept.reserve(records.size());
  refused_.clear();
  for (const LogRecord& record : records) {
    // An offset below the position means that the topic was made anew: its records are as good as any.
    if (!position_.contains(record.partition)) continue;
    if (!keep(record, kept)) return resume_from_store();
    last[record.partition] = &record;
  }
  if (last.empty()) return;
  if (!send_letters()) return resume_from_store();
  switch (save(kept, last)) {
    case Saved::yes:
      break;
    case Saved::fenced:
      log::warn("another consumer has moved the log position: reading it again from the store");
      resume_from_store();
      break;
    case Saved::superseded:
    case Saved::gave_up:
      resume_from_store();
      break;
  }
}

void Consumer::resume_from_store() {
  std::vector<std::int32_t> partitions;
  for (const auto& [partition, next] : position_) partitions.push_back(partition);
  resume(partitions);
}

bool Consumer::keep(const LogRecord& record, std::vector<const LogRecord*>& kept) {
  if (const auto* malformed = std::get_if<Malformed>(&record.message)) {
    refuse(record, malformed->reason);
    return true;
  }
  if (const auto* bare = std::get_if<BareRequest>(&record.message)) return decide_bare(record, *bare);
  const auto known = coupon_known(std::get<IssuedEvent>(record.message).coupon_id);
  if (!known) return false;
  if (*known) {
    kept.push_back(&record);
  } else {
    refuse(record, "coupon_not_found");
  }
  return true;
}

// Nothing when it was told to stop before it could find out.
std::optional<bool> Consumer::coupon_known(const std::string& coupon_id) {
  if (catalog_.find(coupon_id)) return true;
  milliseconds backoff = options_.backoff_min;
  while (true) {
    const auto refreshed = catalog_.catalog().refresh();
    if (refreshed) return catalog_.find(coupon_id) != nullptr;
    if (!pause(backoff, "store", refreshed.error())) return std::nullopt;
  }
}

bool Consumer::decide_bare(const LogRecord& record, const BareRequest& request) {
  milliseconds backoff = options_.backoff_min;
  while (true) {
    const auto known = coupon_known(request.coupon_id);
    if (!known) return false;
    if (!*known) {
      refuse(record, "coupon_not_found");
      return true;
    }
    const auto coupon = catalog_.find(request.coupon_id);
    const Error not_open{Errc::gate_missing, "the coupon is not open in the gate yet"};
    Result<ClaimReply> reply = not_open;
    if (coupon && coupon->is_open()) {
      reply = gate_.claim_now({request.coupon_id, coupon->epoch, 0, {request.user_id}, coupon->gate});
    }
    if (!reply && reply.error().code == Errc::outbox_full) {
      refuse(record, std::string(to_string(Errc::outbox_full)));
      return true;
    }
    if (!reply) {
      if (!pause(backoff, "gate", reply.error())) return false;
      continue;
    }
    const Decision decision = reply->claims.front().decision;
    if (decision != Decision::issued && decision != Decision::already_issued)
      refuse(record, std::string(to_string(decision)));
    return true;
  }
}

bool Consumer::dead_letter(const LogRecord& record, const std::string& reason) {
  refuse(record, reason);
  return send_letters();
}

bool Consumer::send_letters() {
  milliseconds backoff = options_.backoff_min;
  while (!refused_.empty()) {
    const auto sent = log_.dead_letter(refused_);
    if (sent) break;
    if (!pause(backoff, "dead-letter topic", sent.error())) return false;
  }
  dead_letters_.add(refused_.size());
  for (const auto& [record, reason] : std::exchange(refused_, {})) {
    log::warn("record dead-lettered",
              {{"partition", record->partition}, {"offset", record->offset}, {"reason", reason}});
  }
  return true;
}

void Consumer::after_commit(const SaveBatch& batch) {
  saved_.add(batch.events.size());
  std::vector<LogPosition> positions;
  for (const PositionChange& change : batch.positions) {
    position_[change.partition] = change.next;
    positions.push_back({change.partition, change.next});
  }
  // Only events of the present epoch say how far the outbox of that epoch has come.
  std::unordered_map<std::string_view, std::int64_t> epochs;
  for (const CouponEpoch& coupon : batch.epochs) epochs.emplace(coupon.coupon_id, coupon.epoch);
  for (const IssuedEvent& event : batch.events) {
    const auto present = epochs.find(event.coupon_id);
    if (present != epochs.end() && present->second == event.epoch) handled(event);
  }
  board_.persisted(unmarked());
  log_.committed(positions);
}

void Consumer::handled(const IssuedEvent& event) {
  if (const auto mark = reconciler_.handled(event)) raise(*mark);
}

void Consumer::raise(const Mark& mark) {
  Mark& known = unmarked_.try_emplace(mark.coupon_id, mark).first->second;
  if (mark.epoch > known.epoch || (mark.epoch == known.epoch && mark.sequence > known.sequence)) known = mark;
}

std::vector<Mark> Consumer::unmarked() const {
  std::vector<Mark> marks;
  for (const auto& [coupon_id, mark] : unmarked_) marks.push_back(mark);
  return marks;
}

void Consumer::mark_persisted() {
  if (unmarked_.empty()) return;
  const std::vector<Mark> marks = unmarked();
  const auto answers = outbox_.mark_persisted(marks);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    // Of a coupon that cannot be used the reconciler raises the mark again, later.
    const bool again = !answers[i] && answers[i].error().code == Errc::unavailable;
    if (!answers[i])
      log::debug("outbox not trimmed yet",
                 {{"coupon", marks[i].coupon_id}, {"why", answers[i].error().message}});
    if (!again) unmarked_.erase(marks[i].coupon_id);
  }
}

void Consumer::reconcile() {
  const auto time = ticker().now();
  if (time < next_reconcile_ && !reconciler_.found_gap()) return;
  next_reconcile_ = time + options_.reconcile_period;
  const auto marks = reconciler_.reconcile(catalog_.current(), {log_.group(), log_.topic()}, idle_);
  if (!marks) {
    log::debug("not reconciled", {{"why", marks.error().message}});
    return;
  }
  for (const Mark& mark : *marks) raise(mark);
  board_.persisted(*marks);
}

}  // namespace seonchak
