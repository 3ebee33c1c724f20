#include <algorithm>
#include <string_view>
#include <utility>

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"
#include "core/model/gate_config.hpp"
#include "core/recovery/job.hpp"

namespace seonchak {

namespace {

Error overtaken() {
  return {Errc::gate_epoch, "another recovery has begun"};
}

}  // namespace

void RecoveryJob::take_union() {
  std::erase_if(claims_, [&](const KnownClaim& claim) { return saved_.contains(claim.holder.user_id); });
  saved_.clear();
  std::int64_t holders = static_cast<std::int64_t>(known_.taken.size());
  if (prefix_) holders += remains_.holders;
  known_.candidates =
      by_credibility(std::move(claims_), store_fell_back() ? remains_.epoch : coupon_.settled);
  // One gate has issued these within the stock of its time, which the store has forgotten.
  if (store_fell_back()) coupon_.stock = std::max(coupon_.stock, remains_.holders);
  known_.room = coupon_.stock - holders;
  claims_.clear();
  rebuilt_ = rebuild(std::exchange(known_, {}));
  left_out_.clear();
  std::unordered_set<std::string_view> heard;
  for (const KnownClaim& claim : recorded_) heard.insert(claim.holder.user_id);
  to_note_.clear();
  for (const Holder& holder : rebuilt_.pending) {
    if (!heard.contains(holder.user_id)) to_note_.push_back({holder, coupon_.epoch});
  }
  page_ = 0;
  stage_ = to_note_.empty() ? Stage::save : Stage::note;
}

// What is saved by a recovery has a row before the log has its event. Should the gate be lost again in
// between, the next recovery finds it among the recorded claims, and lets the log hear of it.
Result<void> RecoveryJob::note() {
  const std::size_t end = std::min(to_note_.size(), page_ + options_.noted_page);
  const auto written = ports_.store.record_unsaved(id_, coupon_.epoch, token_,
                                                   std::span(to_note_).subspan(page_, end - page_));
  if (!written) return written.error();
  if (!*written) return overtaken();
  page_ = end;
  if (page_ == to_note_.size()) stage_ = Stage::recorders;  // once more, with those recorded claims
  return {};
}

Result<void> RecoveryJob::save() {
  std::vector<Holder>& pending = rebuilt_.pending;
  const std::size_t end = std::min(pending.size(), page_ + save_at_once_);
  if (page_ < end) {
    SaveBatch batch;
    batch.epochs.push_back({id_, coupon_.epoch});
    for (std::size_t i = page_; i < end; ++i) {
      const Holder& holder = pending[i];
      batch.events.push_back({id_, holder.user_id, holder.sequence, holder.issued_at, coupon_.epoch});
    }
    const auto saved = ports_.store.save(batch);
    if (!saved) return try_less(end - page_, saved.error());
    save_at_once_ = std::min(2 * save_at_once_, options_.saved_page);
    if (*saved == SaveOutcome::busy) return held({Errc::row_held, "somebody holds the coupon's row"});
    if (*saved != SaveOutcome::saved) return overtaken();
    page_ = end;
  }
  if (page_ < pending.size()) return {};
  take_out_rejected();
  stage_ = Stage::settle;
  return {};
}

// One row that the database rejects must not keep the others from theirs: smaller pieces lead to it. Nor must
// many be more than the database can do within its time for a statement.
Result<void> RecoveryJob::try_less(std::size_t tried, Error why) {
  save_at_once_ = std::max<std::size_t>(1, tried / 2);
  if (why.code != Errc::rejected) return why;
  if (tried == 1) leave_out(why);
  return {};
}

void RecoveryJob::leave_out(const Error& why) {
  const Holder& holder = rebuilt_.pending[page_];
  log::error(
      "an issued coupon is lost: the database rejects its row",
      {{"coupon", id_}, {"user", holder.user_id}, {"sequence", holder.sequence}, {"why", why.message}});
  left_out_.push_back(page_++);
}

void RecoveryJob::take_out_rejected() {
  std::vector<Holder> saved;
  auto next = left_out_.begin();
  for (std::size_t i = 0; i < rebuilt_.pending.size(); ++i) {
    const bool out = next != left_out_.end() && *next == i;
    if (out) ++next;
    (out ? rebuilt_.rejected : saved).push_back(std::move(rebuilt_.pending[i]));
  }
  rebuilt_.pending = std::move(saved);
  left_out_.clear();
}

Error RecoveryJob::held(Error error) {
  row_was_held_ = row_was_held_ || error.code == Errc::row_held;
  return error;
}

// The epoch counts from here on, unless somebody has recorded since that was read, or could not while the row
// was held: then those who have announced it are waited for once more.
Result<void> RecoveryJob::settle() {
  bool late = false;
  const auto settled = ports_.store.update_coupon(id_, [&](Coupon& row) -> Result<void> {
    if (row.epoch != coupon_.epoch && !failpoint("settle_anyway")) return overtaken();
    const auto heard = ports_.store.recorded_claim_count(id_);
    if (!heard) return heard.error();
    late = *heard > static_cast<std::int64_t>(recorded_.size()) || (row_was_held_ && !recorders_.empty());
    if (late) return Error{Errc::unavailable, "a recording was late"};
    row.settled = coupon_.epoch;
    if (store_fell_back()) row.stock = std::max(row.stock, coupon_.stock);
    return {};
  });
  if (late) {
    if (std::exchange(row_was_held_, false)) recorders_heard_ = ticker().now();
    stage_ = Stage::recorders;
    return {};
  }
  if (!settled) return held(settled.error());
  rows_after_ = intact();
  holders_begun_ = prefix_;
  entries_ = entries_of(id_, coupon_.epoch, rebuilt_.pending, claim_users_max);
  page_ = 0;
  stage_ = Stage::write_holders;
  return {};
}

Result<void> RecoveryJob::write_holders() {
  const auto page = ports_.store.holders(id_, rows_after_, options_.rows_page);
  if (!page) return page.error();
  if (auto put = ports_.gate.put_holders(id_, token_, *page, !holders_begun_); !put) return put;
  holders_begun_ = true;
  if (page->size() < options_.rows_page) {
    stage_ = Stage::write_outbox;
  } else {
    rows_after_ = page->back().sequence;
  }
  return {};
}

// From the first on again after a call in doubt: an entry that was appended cannot be appended once more.
Result<void> RecoveryJob::write_outbox() {
  const std::size_t end = std::min(entries_.size(), page_ + options_.entries_page);
  const auto part = std::span(entries_).subspan(page_, end - page_);
  if (auto put = ports_.gate.put_outbox(id_, token_, part, page_ == 0); !put) {
    page_ = 0;
    return put;
  }
  page_ = end;
  if (page_ == entries_.size()) stage_ = Stage::open;
  return {};
}

Result<void> RecoveryJob::open() {
  const Sequence pending = rebuilt_.pending.empty() ? rebuilt_.sequence : rebuilt_.pending.back().sequence;
  auto opened =
      ports_.gate.open(committed(coupon_), token_, {rebuilt_.sequence, rebuilt_.persisted(), pending});
  if (!opened && open_in_doubt_ && opened.error().code == Errc::gate_epoch) {
    const auto progress = ports_.outbox.progress({&id_, 1}).front();
    if (progress && progress->epoch == coupon_.epoch) opened = {};
  }
  if (!opened) {
    open_in_doubt_ = open_in_doubt_ || opened.error().code == Errc::unavailable;
    return opened;
  }
  page_ = 0;
  stage_ = Stage::reject;
  return {};
}

// A gate whose state was trusted keeps them as holders.
Result<void> RecoveryJob::reject() {
  const std::size_t end = std::min(rebuilt_.rejected.size(), page_ + options_.rejected_page);
  std::vector<Watermark> sequences;
  for (std::size_t i = page_; i < end; ++i)
    sequences.push_back({id_, rebuilt_.rejected[i].sequence, coupon_.epoch});
  if (!sequences.empty()) {
    for (const auto& answer : ports_.outbox.reject(sequences))
      if (!answer && answer.error().code == Errc::unavailable) return answer.error();
  }
  page_ = end;
  if (page_ < rebuilt_.rejected.size()) return {};
  page_ = 0;
  stage_ = late_.empty() ? Stage::done : Stage::forget_late;
  return {};
}

// Should this not come to its end, they are decided once more, and found to be.
Result<void> RecoveryJob::forget_late() {
  const std::size_t end = std::min(late_.size(), page_ + claims_piece_max);
  const auto part = std::span(late_).subspan(page_, end - page_);
  if (auto forgotten = ports_.store.forget_late_claims(id_, part); !forgotten) return forgotten;
  page_ = end;
  if (page_ == late_.size()) stage_ = Stage::done;
  return {};
}

}  // namespace seonchak
