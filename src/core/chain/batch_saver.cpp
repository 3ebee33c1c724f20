#include "core/chain/batch_saver.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/failpoint.hpp"
#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace {

constexpr std::size_t questions_per_step = 64;

/// A try in vain can take as long as the database waits for a row, or for a trigger that hangs. After so many
/// of them in one batch, or so long, the rest of its coupons are left for later, too: each then has its own
/// turn.
constexpr std::size_t in_vain_max = 4;
constexpr std::chrono::milliseconds in_vain_took_max{1'000};

/// Looking for the rows that the database rejects takes a transaction each and more. After so long in one
/// batch the rest of their coupon is left for later, too.
constexpr std::chrono::milliseconds rejecting_max{250};

/// After so many rejected rows one after the other, the next ones are tried one by one, and so many of them:
/// halves would be rejected, too.
constexpr std::size_t in_a_row = 16;
constexpr std::size_t one_by_one = 64;

}  // namespace

BatchSaver::BatchSaver(Store& store, EventConsumer& log, CatalogReader& catalog, Metrics& metrics)
    : store_(store),
      log_(log),
      catalog_(catalog),
      late_(metrics.counter("seonchak_consumer_late_total",
                            "Events of an epoch before their coupon's, kept for a recovery to decide.")),
      commit_seconds_(
          metrics.histogram("seonchak_consumer_commit_seconds", "Duration of a store transaction.")) {}

void BatchSaver::forget() {
  parts_.clear();
  in_parts_ = false;
  in_vain_ = 0;
  in_vain_took_ = {};
  rejecting_since_.reset();
  rejected_in_a_row_ = 0;
  questioned_.clear();
  superseded_.clear();
}

BatchSaver::Outcome BatchSaver::stuck(Error error) {
  why_ = std::move(error);
  return Outcome::stuck;
}

BatchSaver::Outcome BatchSaver::step(ConsumeBatch& batch, const Positions& positions, bool may_move) {
  if (!questioned_.empty()) return look_for_the_gone(batch);
  const bool whole = parts_.empty();
  const Records records = whole ? batch.unsaved() : parts_.back();
  const bool moves = whole && may_move && !in_parts_;
  if (records.empty() && !moves) return Outcome::idle;

  compose(records, batch, moves ? &positions : nullptr);
  if (before_commit) before_commit(rows_);
  std::vector<LateClaim> late_after;  // failpoint: kept after the position has moved
  if (failpoint("position_without_late")) late_after = std::exchange(rows_.late, {});
  if (failpoint("offset_first")) (void)store_.save({rows_.group, rows_.topic, {}, rows_.positions});
  const auto began = ticker().now();
  const auto outcome = store_.save(rows_);
  if (!late_after.empty() && outcome && *outcome == SaveOutcome::saved)
    (void)store_.save({rows_.group, rows_.topic, {}, {}, {}, std::move(late_after)});
  const auto took = ticker().now() - began;
  commit_seconds_.observe_seconds(std::chrono::duration<double>(took).count());
  const bool in_vain = outcome ? *outcome == SaveOutcome::busy : outcome.error().code == Errc::not_now;
  if (in_vain) in_vain_took_ += took;

  if (!outcome && outcome.error().code == Errc::rejected && !records.empty())
    return rejected(batch, records, outcome.error());
  if (!outcome && outcome.error().code == Errc::not_now) return apart(batch, records, outcome.error());
  if (!outcome) return stuck(outcome.error());
  switch (*outcome) {
    case SaveOutcome::saved:
      return saved(batch, records, whole, moves);
    case SaveOutcome::fenced:
      return Outcome::fenced;
    case SaveOutcome::superseded:
      return look_anew(batch, records);
    case SaveOutcome::busy:
      return apart(batch, records, {Errc::not_now, "somebody holds its row"});
  }
  broken_invariant("a save ends in one of the outcomes there are");
}

BatchSaver::Outcome BatchSaver::move(const std::map<std::int32_t, LogPosition>& ends,
                                     const Positions& positions) {
  rows_ = {log_.group(), log_.topic(), {}, {}, {}, {}};
  for (const auto& [partition, end] : ends)
    rows_.positions.push_back({partition, positions.at(partition), end.next_offset, end.fingerprint});
  const auto outcome = store_.save(rows_);
  if (!outcome && outcome.error().code == Errc::unavailable) return stuck(outcome.error());
  why_ = outcome ? Error{Errc::not_now, "somebody holds its row"} : outcome.error();
  if (!outcome) return Outcome::aside;
  if (*outcome == SaveOutcome::saved) return Outcome::moved;
  return *outcome == SaveOutcome::fenced ? Outcome::fenced : Outcome::aside;
}

void BatchSaver::compose(const Records& records, const ConsumeBatch& batch, const Positions* moved) {
  rows_ = {log_.group(), log_.topic(), {}, {}, {}, {}};
  rows_.events.reserve(records.size());
  std::string_view before;
  for (const LogRecord* record : records) {
    const auto& event = std::get<IssuedEvent>(record->message);
    if (batch.fate_of(record) == Fate::late) {
      if (failpoint("late_dropped")) continue;
      rows_.late.push_back(
          {event.coupon_id, {{event.user_id, event.sequence, event.issued_at}, event.epoch}});
      continue;
    }
    rows_.events.push_back(event);
    if (event.coupon_id == std::exchange(before, event.coupon_id)) continue;
    const auto coupon = catalog_.find(event.coupon_id);
    if (coupon && !failpoint("no_epoch_check_in_save") &&
        std::ranges::find(rows_.epochs, coupon->id, &CouponEpoch::coupon_id) == rows_.epochs.end()) {
      rows_.epochs.push_back({coupon->id, coupon->epoch});
    }
  }
  if (moved == nullptr) return;
  for (const auto& [partition, record] : batch.ends()) {
    rows_.positions.push_back(
        {partition, moved->at(partition), record->offset + 1, log_.fingerprint(*record)});
  }
}

BatchSaver::Outcome BatchSaver::saved(ConsumeBatch& batch, const Records& records, bool whole, bool moves) {
  late_.add(rows_.late.size());
  rejected_in_a_row_ = 0;
  for (const LogRecord* record : records) batch.settle(record);
  if (!whole) parts_.pop_back();
  return moves ? Outcome::moved : Outcome::saved;
}

// Somebody holds a coupon's row, or the database refuses it as things are. Whose it is the store does not
// say: each coupon is tried by itself, and those that are not taken are left aside.
BatchSaver::Outcome BatchSaver::apart(ConsumeBatch& batch, const Records& records, Error why) {
  const bool with_position = !rows_.positions.empty();
  in_parts_ = true;
  if (split_by_coupon(batch, records, with_position)) return Outcome::split;
  ++in_vain_;
  leave_aside(batch, records, std::move(why));
  return Outcome::aside;
}

// False when it is one already.
bool BatchSaver::split_by_coupon(const ConsumeBatch& batch, const Records& records, bool anew) {
  std::map<std::string_view, Records> by_coupon;
  Records late;  // holds no row
  for (const LogRecord* record : records)
    (batch.fate_of(record) == Fate::late ? late : by_coupon[coupon_of(*record)]).push_back(record);
  if (!parts_.empty()) parts_.pop_back();
  const std::size_t groups = by_coupon.size() + (late.empty() ? 0 : 1);
  if (groups == 1 && !anew) return false;
  for (auto& [coupon_id, own] : by_coupon) parts_.push_back(std::move(own));
  if (!late.empty()) parts_.push_back(std::move(late));
  return true;
}

void BatchSaver::leave_aside(ConsumeBatch& batch, const Records& records, Error why) {
  coupon_ = coupon_of(*records.front());
  why_ = std::move(why);
  for (const LogRecord* record : records) batch.leave_aside(record);
  const bool all = in_vain_ >= in_vain_max || in_vain_took_ >= in_vain_took_max;
  for (const Records& part : std::exchange(parts_, {})) {
    const bool aside = all || coupon_of(*part.front()) == coupon_;
    for (const LogRecord* record : part)
      if (aside) batch.leave_aside(record);
    if (!aside) parts_.push_back(part);
  }
}

// Which coupon's, and which row of it. Others are not to wait for that.
BatchSaver::Outcome BatchSaver::rejected(ConsumeBatch& batch, const Records& records, const Error& error) {
  if (split_by_coupon(batch, records, false)) return Outcome::split;
  if (records.size() == 1) {
    ++rejected_in_a_row_;
    batch.refuse(records.front(), error.message);
    return Outcome::split;
  }
  const auto now = ticker().now();
  if (!rejecting_since_) rejecting_since_ = now;
  if (now - *rejecting_since_ >= rejecting_max) {
    in_parts_ = true;
    leave_aside(batch, records, {Errc::not_now, "many of its rows are rejected: " + error.message});
    return Outcome::put_off;
  }
  look_closer(records);
  return Outcome::split;
}

void BatchSaver::look_closer(const Records& records) {
  const bool singly = rejected_in_a_row_ >= in_a_row;
  const std::size_t first = singly ? std::min(one_by_one, records.size()) : records.size() / 2;
  const auto middle = records.begin() + static_cast<std::ptrdiff_t>(first);
  if (middle != records.end()) parts_.emplace_back(middle, records.end());
  if (!singly) return void(parts_.emplace_back(records.begin(), middle));
  for (auto record = middle; record != records.begin();) parts_.push_back({*--record});
}

// A recovery has begun a new epoch, or a coupon is gone.
BatchSaver::Outcome BatchSaver::look_anew(ConsumeBatch& batch, Records records) {
  parts_.clear();
  if (const auto refreshed = catalog_.catalog().refresh(); !refreshed) return stuck(refreshed.error());
  batch.sort(catalog_);
  const bool changed = std::ranges::any_of(rows_.epochs, [this](const CouponEpoch& expected) {
    const auto coupon = catalog_.find(expected.coupon_id);
    return coupon && coupon->epoch != expected.epoch;
  });
  if (changed) return Outcome::split;
  for (const CouponEpoch& expected : rows_.epochs) questioned_.push_back(expected.coupon_id);
  superseded_ = std::move(records);
  return look_for_the_gone(batch);
}

BatchSaver::Outcome BatchSaver::look_for_the_gone(ConsumeBatch& batch) {
  for (std::size_t i = 0; i < questions_per_step && !questioned_.empty(); ++i) {
    const auto row = store_.coupon(questioned_.back());
    if (!row && row.error().code != Errc::not_found) return stuck(row.error());
    if (!row) {
      log::warn("events of a coupon that is in the store no more", {{"coupon", questioned_.back()}});
      batch.gone(questioned_.back());
      found_gone_ = true;
    }
    questioned_.pop_back();
  }
  if (!questioned_.empty()) return Outcome::split;
  batch.sort(catalog_);
  const Records records = std::exchange(superseded_, {});
  catalog_.catalog().doubt();
  if (std::exchange(found_gone_, false)) return Outcome::split;
  return apart(batch, records, {Errc::not_now, "the store names another epoch than the catalog"});
}

}  // namespace seonchak
