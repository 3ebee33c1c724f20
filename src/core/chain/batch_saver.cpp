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
  questioned_.clear();
}

BatchSaver::Outcome BatchSaver::stuck(Error error) {
  why_ = std::move(error);
  return Outcome::stuck;
}

BatchSaver::Outcome BatchSaver::step(ConsumeBatch& batch, const Positions& positions, bool may_move) {
  if (!questioned_.empty()) return look_for_the_gone(batch);
  const bool whole = parts_.empty();
  const Records records = whole ? batch.unsaved() : parts_.back();
  const bool moves = whole && may_move;
  if (records.empty() && !moves) return Outcome::idle;

  compose(records, batch, moves ? &positions : nullptr);
  if (before_commit) before_commit(rows_);
  std::vector<LateClaim> apart;  // failpoint: kept after the position has moved
  if (failpoint("position_without_late")) apart = std::exchange(rows_.late, {});
  if (failpoint("offset_first")) (void)store_.save({rows_.group, rows_.topic, {}, rows_.positions});
  const auto began = ticker().now();
  const auto outcome = store_.save(rows_);
  if (!apart.empty() && outcome && *outcome == SaveOutcome::saved)
    (void)store_.save({rows_.group, rows_.topic, {}, {}, {}, std::move(apart)});
  commit_seconds_.observe_seconds(std::chrono::duration<double>(ticker().now() - began).count());

  if (!outcome && outcome.error().code == Errc::rejected && !records.empty())
    return rejected(batch, records, outcome.error());
  if (!outcome) return stuck(outcome.error());
  switch (*outcome) {
    case SaveOutcome::saved:
      return saved(batch, records, whole, moves);
    case SaveOutcome::fenced:
      return Outcome::fenced;
    case SaveOutcome::superseded:
      return look_anew(batch);
    case SaveOutcome::busy:
      return busy(batch, records);
  }
  broken_invariant("a save ends in one of the outcomes there are");
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
  for (const LogRecord* record : records) batch.settle(record);
  if (!whole) parts_.pop_back();
  return moves ? Outcome::moved : Outcome::saved;
}

// Somebody holds a coupon's row. Whose it is the store does not say: each coupon is tried by itself, and
// those that are held wait.
BatchSaver::Outcome BatchSaver::busy(const ConsumeBatch& batch, const Records& records) {
  std::map<std::string_view, Records> by_coupon;
  Records late;  // holds no row
  for (const LogRecord* record : records)
    (batch.fate_of(record) == Fate::late ? late : by_coupon[coupon_of(*record)]).push_back(record);
  const bool whole = parts_.empty();
  if (!whole) parts_.pop_back();
  const std::size_t groups = by_coupon.size() + (late.empty() ? 0 : 1);
  if (groups > 1) {
    for (auto& [coupon_id, own] : by_coupon) parts_.push_back(std::move(own));
    if (!late.empty()) parts_.push_back(std::move(late));
    return Outcome::split;
  }
  const std::string who =
      by_coupon.empty() ? "the position" : "coupon " + std::string(by_coupon.begin()->first);
  why_ = {Errc::unavailable, "somebody holds the row of " + who};
  return parts_.empty() ? Outcome::stuck : Outcome::split;
}

BatchSaver::Outcome BatchSaver::rejected(ConsumeBatch& batch, const Records& records, const Error& error) {
  if (!parts_.empty()) parts_.pop_back();
  if (records.size() == 1) {
    batch.refuse(records.front(), error.message);
    return Outcome::split;
  }
  const auto middle = records.begin() + static_cast<std::ptrdiff_t>(records.size() / 2);
  parts_.emplace_back(middle, records.end());
  parts_.emplace_back(records.begin(), middle);
  return Outcome::split;
}

// A recovery has begun a new epoch, or a coupon is gone.
BatchSaver::Outcome BatchSaver::look_anew(ConsumeBatch& batch) {
  parts_.clear();
  if (const auto refreshed = catalog_.catalog().refresh(); !refreshed) return stuck(refreshed.error());
  batch.sort(catalog_);
  const bool changed = std::ranges::any_of(rows_.epochs, [this](const CouponEpoch& expected) {
    const auto coupon = catalog_.find(expected.coupon_id);
    return coupon && coupon->epoch != expected.epoch;
  });
  if (changed) return Outcome::split;
  for (const CouponEpoch& expected : rows_.epochs) questioned_.push_back(expected.coupon_id);
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
  if (std::exchange(found_gone_, false)) return Outcome::split;
  catalog_.catalog().doubt();
  return stuck({Errc::unavailable, "the store names another epoch than the catalog"});
}

}  // namespace seonchak
