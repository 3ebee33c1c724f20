#include "core/chain/waiting_records.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "base/invariant.hpp"

namespace seonchak {

namespace {

const auto is_empty = [](const auto& entry) { return entry.second.records.empty(); };

}  // namespace

bool WaitingRecords::waits(const std::string& coupon_id) const {
  if (rows_.contains(coupon_id)) return true;
  const auto is_its = [&](const LogRecord& record) {
    const auto* event = std::get_if<IssuedEvent>(&record.message);
    return event != nullptr && event->coupon_id == coupon_id;
  };
  return std::ranges::any_of(letters_, is_its, &Waiting::record);
}

std::optional<WaitingRecords::TimePoint> WaitingRecords::since() const {
  if (parts_.empty()) return std::nullopt;
  return parts_.front().since;
}

std::string WaitingRecords::why() const {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (!rows_.empty()) {
    const auto& [coupon_id, queue] = *rows_.begin();
    add("store takes no rows of coupon " + coupon_id + ": " + queue.why);
    if (rows_.size() > 1) text += " (and of " + std::to_string(rows_.size() - 1) + " more coupons)";
  }
  if (!letters_.empty()) add("dead-letter topic takes no record: " + letters_why_);
  if (!bare_.empty())
    add("gate does not decide bare requests of coupon " + bare_.begin()->first + ": " + bare_why_);
  if (full()) add("no more is read until then");
  return text;
}

void WaitingRecords::hold_back(ConsumeBatch& batch) const {
  if (rows_.empty() && bare_.empty()) return;
  for (const LogRecord& record : batch.records()) {
    if (const auto* event = std::get_if<IssuedEvent>(&record.message)) {
      if (rows_.contains(event->coupon_id)) batch.leave_aside(&record);
    } else if (const auto* bare = std::get_if<BareRequest>(&record.message)) {
      if (bare_.contains(bare->coupon_id)) batch.leave_aside(&record);
    }
  }
}

bool WaitingRecords::rows_refused(const std::string& coupon_id, const std::string& why,
                                  std::chrono::milliseconds took) {
  Queue& queue = rows_[coupon_id];
  queue.backoff.fail(backoff_, took);
  const bool again = out_coupon_ == coupon_id;
  if (took >= slow)
    queue.at_once = again ? std::max<std::size_t>(1, out_batches_.size() / 2) : after_a_slow_one;
  return std::exchange(queue.why, why) != why;
}

bool WaitingRecords::letters_refused(const std::string& why, std::chrono::milliseconds took) {
  letters_backoff_.fail(backoff_, took);
  return std::exchange(letters_why_, why) != why;
}

void WaitingRecords::put(LogRecord&& record, Fate fate, std::uint64_t batch, std::string reason, bool front) {
  std::deque<Waiting>* queue = &letters_;
  if (fate != Fate::refused) {
    const bool bare = std::holds_alternative<BareRequest>(record.message);
    queue = &(bare ? bare_ : rows_)[coupon_of(record)].records;
  }
  Waiting waiting{std::move(record), batch, std::move(reason)};
  if (front) {
    queue->push_front(std::move(waiting));
  } else {
    queue->push_back(std::move(waiting));
  }
}

void WaitingRecords::set_aside(ConsumeBatch&& batch) {
  Part part{++last_batch_, 0, batch.polled_at(), {}};
  for (const auto& [partition, record] : batch.ends())
    part.ends[partition] = {partition, record->offset + 1, log_.fingerprint(*record)};

  std::unordered_map<const LogRecord*, std::string> reasons;
  for (const RefusedRecord& letter : batch.letters()) reasons[letter.record] = letter.reason;
  std::vector<const LogRecord*> open;
  std::vector<Fate> fates;
  for (const LogRecord& record : batch.records()) {
    fates.push_back(batch.fate_of(&record));
    if (fates.back() != Fate::settled) open.push_back(&record);
  }
  bytes_ += log_.keep(open);
  records_ += open.size();
  part.open = open.size();

  const LogRecord* const first = batch.records().data();
  std::vector<LogRecord> records = std::move(batch).take_records();
  invariant(records.data() == first, "records keep their place when their vector is moved");
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (fates[i] == Fate::settled) continue;
    const auto reason = reasons.find(&records[i]);
    put(std::move(records[i]), fates[i], part.last_batch,
        reason == reasons.end() ? std::string() : std::move(reason->second), false);
  }
  std::erase_if(rows_, is_empty);
  parts_.push_back(std::move(part));
  merge_settled();
}

std::optional<WaitingRecords::TimePoint> WaitingRecords::due(const Due& bare_due) const {
  std::optional<TimePoint> first;
  const auto note = [&](TimePoint time) { first = first ? std::min(*first, time) : time; };
  for (const auto& [coupon_id, queue] : rows_) note(queue.backoff.retry_at());
  for (const auto& [coupon_id, queue] : bare_) note(bare_due(coupon_id));
  if (!letters_.empty()) note(letters_backoff_.retry_at());
  return first;
}

std::optional<ConsumeBatch> WaitingRecords::take_due(const Due& bare_due, std::size_t records_max) {
  invariant(out_batches_.empty(), "what is taken out is given back first");
  const auto first = due(bare_due);
  const auto time = ticker().now();
  if (!first || *first > time) return std::nullopt;
  for (auto& [coupon_id, queue] : rows_) {
    if (queue.backoff.retry_at() > *first) continue;
    out_coupon_ = coupon_id;
    take(queue.records, std::min(records_max, queue.at_once));
    return taken();
  }
  if (!letters_.empty() && letters_backoff_.retry_at() <= *first) {
    take(letters_, records_max);
    return taken();
  }
  std::size_t room = records_max;
  for (auto& [coupon_id, queue] : bare_) {
    if (room > 0 && bare_due(coupon_id) <= time) room -= take(queue.records, room);
  }
  return taken();
}

std::size_t WaitingRecords::take(std::deque<Waiting>& from, std::size_t most) {
  const std::size_t count = std::min(most, from.size());
  for (std::size_t i = 0; i < count; ++i) {
    Waiting& waiting = from.front();
    out_.push_back(std::move(waiting.record));
    out_batches_.push_back(waiting.batch);
    out_reasons_.push_back(std::move(waiting.reason));
    from.pop_front();
  }
  return count;
}

ConsumeBatch WaitingRecords::taken() {
  ConsumeBatch batch(std::exchange(out_, {}), ticker().now());
  for (std::size_t i = 0; i < out_reasons_.size(); ++i) {
    const LogRecord* record = &batch.records()[i];
    const bool refused = batch.fate_of(record) == Fate::refused;
    if (!out_reasons_[i].empty() && !refused) batch.refuse(record, out_reasons_[i]);
  }
  out_reasons_.clear();
  return batch;
}

void WaitingRecords::give_back(ConsumeBatch&& batch) {
  std::unordered_map<std::size_t, std::string> reasons;
  const LogRecord* const first = batch.records().data();
  for (const RefusedRecord& letter : batch.letters())
    reasons[static_cast<std::size_t>(letter.record - first)] = letter.reason;
  std::vector<Fate> fates;
  for (const LogRecord& record : batch.records()) fates.push_back(batch.fate_of(&record));
  std::vector<LogRecord> records = std::move(batch).take_records();
  bool tried_in_vain = false;
  for (std::size_t i = records.size(); i-- > 0;) {
    if (fates[i] == Fate::settled) {
      bytes_ -= log_.let_go(records[i]);
      --records_;
      --part_of(out_batches_[i]).open;
      continue;
    }
    tried_in_vain = tried_in_vain || fates[i] != Fate::refused;
    put(std::move(records[i]), fates[i], out_batches_[i], std::move(reasons[i]), true);
  }
  out_batches_.clear();
  if (const auto queue = rows_.find(std::exchange(out_coupon_, {})); queue != rows_.end() && !tried_in_vain) {
    queue->second.backoff.succeed();
    queue->second.at_once = std::min(2 * queue->second.at_once, all_at_once);
  }
  std::erase_if(rows_, is_empty);
  std::erase_if(bare_, is_empty);
  if (bare_.empty()) bare_why_.clear();
  merge_settled();
}

WaitingRecords::Part& WaitingRecords::part_of(std::uint64_t batch) {
  const auto part = std::ranges::lower_bound(parts_, batch, {}, &Part::last_batch);
  invariant(part != parts_.end(), "a record that waits is of a batch that waits");
  return *part;
}

// One of which nothing waits is over when the one before it is. So are others when there are too many.
void WaitingRecords::merge_settled() {
  for (std::size_t i = 1; i < parts_.size();) {
    const bool too_many = i == parts_.size() - 1 && parts_.size() > parts_max;
    if (parts_[i].open > 0 && !too_many) {
      ++i;
      continue;
    }
    Part& before = parts_[i - 1];
    before.last_batch = parts_[i].last_batch;
    before.open += parts_[i].open;
    for (auto& [partition, end] : parts_[i].ends) before.ends[partition] = std::move(end);
    parts_.erase(parts_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

const std::map<std::int32_t, LogPosition>* WaitingRecords::settled() const {
  if (parts_.empty() || parts_.front().open > 0) return nullptr;
  return &parts_.front().ends;
}

void WaitingRecords::clear() {
  rows_.clear();
  bare_.clear();
  letters_.clear();
  letters_taken();
  parts_.clear();
  records_ = 0;
  bytes_ = 0;
  out_coupon_.clear();
  out_batches_.clear();
  out_reasons_.clear();
}

}  // namespace seonchak
