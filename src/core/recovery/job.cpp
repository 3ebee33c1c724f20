#include "core/recovery/job.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/failpoint.hpp"
#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

constexpr std::chrono::milliseconds no_wait{0};

}  // namespace

// The gate's epoch first, then the row: what the two steps after this compare with.
Result<bool> RecoveryJob::shut(Guard& guard) {
  const auto observed = ports_.gate.observe(id_);
  if (!observed) return observed.error();
  auto row = ports_.store.coupon(id_);
  if (!row) return row.error();
  const auto sound = guard.is_sound(*row);
  if (!sound) return sound.error();
  if (*sound) return false;
  coupon_ = *row;
  coupon_.gate = guard.identity().name();
  token_ = options_.make_token();
  const auto remains = ports_.gate.begin(committed(coupon_), token_, *observed);
  if (!remains) return remains.error();
  remains_ = *remains;
  Epoch epoch = std::max(row->epoch, remains_.epoch) + 1;
  if (options_.epoch_min) epoch = std::max(epoch, options_.epoch_min());
  fence_ = {id_, row->epoch, row->gate, epoch, coupon_.gate};
  if (failpoint("late_before_log")) (void)read_late();
  stage_ = Stage::fence;
  shut_at_ = ticker().now();
  return true;
}

// From this commit on no consumer saves an event of an earlier epoch as a row: what the store has when it is
// read below is all it will ever have of them.
void RecoveryJob::fenced(Coupon row) {
  coupon_ = std::move(row);
  const bool whole = remains_.is_whole() || failpoint("lost_holders_as_prefix");
  prefix_ = remains_.epoch > 0 && remains_.epoch == coupon_.settled && whole;
  stage_ = Stage::recorders;
  due_ = ticker().now() + options_.recording_grace - announcing_time();
  log::warn("the gate's state of a coupon is not the one that was trusted: recovering it",
            {{"coupon", id_},
             {"epoch", coupon_.epoch},
             {"trusted_epoch", coupon_.settled},
             {"found_epoch", remains_.epoch},
             {"found_sequence", remains_.sequence}});
}

void RecoveryJob::logged(std::vector<KnownClaim> claims) {
  logged_ = std::move(claims);
  has_log_ = true;
  start_over();
}

Result<void> RecoveryJob::advance() {
  switch (stage_) {
    case Stage::recorders:
      return wait_for_recorders();
    case Stage::rows:
      return read_rows();
    case Stage::waiting:
      return read_waiting();
    case Stage::survivors:
      return read_survivors();
    case Stage::check:
      return check_gate();
    case Stage::recorded_claims:
      return read_recorded();
    case Stage::late:
      if (!failpoint("late_before_log")) return read_late();
      stage_ = Stage::saved_earlier;
      return {};
    case Stage::saved_earlier:
      return find_saved_earlier();
    case Stage::unsaved:
      return find_unsaved();
    case Stage::note:
      return note();
    case Stage::save:
      return save();
    case Stage::settle:
      return settle();
    case Stage::write_holders:
      return write_holders();
    case Stage::write_outbox:
      return write_outbox();
    case Stage::open:
      return open();
    case Stage::reject:
      return reject();
    case Stage::forget_late:
      return forget_late();
    case Stage::shut:
    case Stage::fence:
    case Stage::tail:
    case Stage::done:
      break;
  }
  return {};
}

std::chrono::milliseconds RecoveryJob::announcing_time() const {
  return std::min(options_.announcing_time, options_.recording_grace);
}

// A database whose disk is full may well take the changes of a recovery, and no new row.
Result<void> RecoveryJob::try_to_announce() {
  const auto begun = ports_.store.begin_recording(id_, coupon_.epoch, token_);
  if (!begun) return begun.error();
  announced_ = true;
  recorders_heard_ = due_ = ticker().now() + announcing_time();
  return {};
}

// Whoever has announced itself within the grace. Who did not was dead or cut off, or has nothing to say.
Result<void> RecoveryJob::wait_for_recorders() {
  if (!announced_) return try_to_announce();
  auto recorders = ports_.store.recordings(id_, coupon_.epoch);
  if (!recorders) return recorders.error();
  std::erase_if(*recorders, [&](const Recording& recording) { return recording.process == token_; });
  const auto now = ticker().now();
  if (*recorders != recorders_) {
    recorders_ = std::move(*recorders);
    recorders_heard_ = now;
  }
  const bool given_up = now - recorders_heard_ >= options_.recorder_silence;
  if (!recorders_.empty() && !given_up && !failpoint("no_wait_for_recorders")) {
    due_ = now + options_.recorder_period;
    return {};
  }
  start_over();
  return {};
}

// Everything but the log's part is read anew.
void RecoveryJob::start_over() {
  known_ = {};
  known_.intact = intact();
  known_.last_sequence = remains_.sequence;
  rows_after_ = intact();
  outbox_after_ = remains_.persisted;
  cursor_.clear();
  page_ = 0;
  claims_ = logged_;
  stage_ = has_log_ ? Stage::rows : Stage::tail;
}

// In a prefix of what was trusted, everything up to its sequence is as it was.
Result<void> RecoveryJob::read_rows() {
  const auto page = ports_.store.holders(id_, rows_after_, options_.rows_page);
  if (!page) return page.error();
  for (const Holder& holder : *page) known_.taken.push_back(holder.sequence);
  if (page->size() < options_.rows_page) {
    stage_ = Stage::waiting;
  } else {
    rows_after_ = page->back().sequence;
  }
  return {};
}

// What the surviving outbox holds: perhaps not in the store, and in a prefix of what was trusted certain.
Result<void> RecoveryJob::read_waiting() {
  const Watermark after{id_, outbox_after_, remains_.epoch};
  const auto read = ports_.outbox.read({&after, 1}, options_.entries_page, no_wait);
  if (!read) return read.error();
  if (!read->failed.empty() && prefix_) return read->failed.front().error;
  const bool must_be_whole = prefix_ && !failpoint("lost_holders_as_prefix");
  for (const OutboxEntry& entry : read->entries) {
    const bool follows = entry.first_sequence <= std::max(outbox_after_, remains_.rebuilt) + 1 &&
                         entry.last_sequence() <= remains_.sequence;
    if (must_be_whole && !follows) return take_no_prefix();
    for (std::size_t i = 0; i < entry.users.size(); ++i) {
      const Sequence sequence = entry.first_sequence + static_cast<std::int64_t>(i);
      if (sequence <= remains_.persisted) continue;
      Holder holder{entry.users[i], sequence, entry.issued_at};
      if (prefix_) {
        known_.waiting.push_back(std::move(holder));
      } else {
        claims_.push_back({std::move(holder), entry.epoch});
      }
    }
    outbox_after_ = entry.last_sequence();
  }
  // Not a short page, but an empty one is the end: an entry that cannot be read fails once it is the next.
  if (!read->entries.empty()) return {};
  if (must_be_whole && outbox_after_ < remains_.pending) return take_no_prefix();
  stage_ = prefix_ ? Stage::check : Stage::survivors;
  return {};
}

// The outbox and the state say different things: neither counts for more than what else is known.
Result<void> RecoveryJob::take_no_prefix() {
  log::error("an outbox has not what its state says: everything is read",
             {{"coupon", id_}, {"after", outbox_after_}, {"pending", remains_.pending}});
  prefix_ = false;
  start_over();
  return {};
}

Result<void> RecoveryJob::read_survivors() {
  auto page = ports_.control.holders_page(id_, cursor_);
  if (!page) return page.error();
  // What was saved may have been lost with the store.
  const Sequence saved = store_fell_back() ? 0 : remains_.persisted;
  for (Holder& holder : page->holders) {
    if (holder.sequence > saved) claims_.push_back({std::move(holder), remains_.epoch});
  }
  cursor_ = std::move(page->next);
  if (cursor_.empty()) stage_ = Stage::check;
  return {};
}

// What was read counts only if it is the state that was shut, on the server where it was: an empty write asks
// for the token, and a cursor means nothing to another server.
Result<void> RecoveryJob::check_gate() {
  const auto identity = ports_.control.identity(id_);
  if (!identity) return identity.error();
  if (identity->name() != coupon_.gate)
    return Error{Errc::gate_untrusted, "the coupon is recovered on " + coupon_.gate};
  if (auto ours = ports_.gate.put_holders(id_, token_, {}, false); !ours) return ours;
  stage_ = Stage::recorded_claims;
  return {};
}

// After the log, whose reading began above what any consumer had kept by then.
Result<void> RecoveryJob::read_recorded() {
  auto recorded_claims = ports_.store.recorded_claims(id_);
  if (!recorded_claims) return recorded_claims.error();
  recorded_ = std::move(*recorded_claims);
  page_ = 0;
  stage_ = Stage::late;
  if (!failpoint("late_before_log")) late_.clear();
  return {};
}

Result<void> RecoveryJob::read_late() {
  const KnownClaim after = late_.empty() ? KnownClaim{} : late_.back();
  auto page = ports_.store.late_claims(id_, after, claims_piece_max);
  if (!page) return page.error();
  std::ranges::copy(*page, std::back_inserter(late_));
  if (page->size() < claims_piece_max) stage_ = Stage::saved_earlier;
  return {};
}

// The page at page_ of these claims' rows; page_ moves on.
Result<std::vector<Holder>> RecoveryJob::rows_among(const std::vector<KnownClaim>& claims) {
  const std::size_t end = std::min(claims.size(), page_ + options_.rows_page);
  invariant(page_ <= end, "a page begins within the claims it is of");
  if (page_ == end) return std::vector<Holder>();
  std::vector<std::string> users;
  for (std::size_t i = page_; i < end; ++i) users.push_back(claims[i].holder.user_id);
  auto rows = ports_.store.holders_among(id_, users);
  if (rows) page_ = end;
  return rows;
}

Result<void> RecoveryJob::find_saved_earlier() {
  auto rows = rows_among(recorded_);
  if (!rows) return rows.error();
  std::ranges::copy_if(*rows, std::back_inserter(known_.waiting),
                       [&](const Holder& row) { return row.sequence > intact(); });
  if (page_ < recorded_.size()) return {};
  std::ranges::copy(recorded_, std::back_inserter(claims_));
  std::ranges::copy(late_, std::back_inserter(claims_));
  std::erase_if(claims_, [&](const KnownClaim& claim) {
    return claim.epoch == coupon_.settled && claim.holder.sequence <= intact();
  });
  page_ = 0;
  saved_.clear();
  stage_ = Stage::unsaved;
  return {};
}

Result<void> RecoveryJob::find_unsaved() {
  auto rows = rows_among(claims_);
  if (!rows) return rows.error();
  for (Holder& row : *rows) saved_.insert(std::move(row.user_id));
  if (page_ == claims_.size()) take_union();
  return {};
}

}  // namespace seonchak
