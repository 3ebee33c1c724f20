#include <algorithm>
#include <iterator>
#include <utility>

#include "base/planted.hpp"
#include "base/ticker.hpp"
#include "core/consume.hpp"

namespace seonchak {

using std::chrono::milliseconds;

Consumer::Saved Consumer::save(std::span<const LogRecord* const> kept, const LastRecords& last) {
  Kept records(kept.begin(), kept.end());
  while (true) {
    const auto admitted = admit(records);
    if (!admitted) return Saved::gave_up;
    SaveBatch batch = batch_of(*admitted, last);
    Error rejection;
    const Saved saved = commit(batch, rejection);
    if (saved == Saved::superseded) {
      if (!look_anew(batch, records)) return Saved::gave_up;
      continue;
    }
    if (rejection.code != Errc::rejected || admitted->empty()) return saved;
    if (admitted->size() > 1) {
      if (const Saved bisected = save_bisecting(*admitted); bisected != Saved::yes) return bisected;
      return save({}, last);
    }
    if (!dead_letter(*admitted->front(), rejection.message)) return Saved::gave_up;
    // The dead-letter topic has it now: the outbox need not keep it.
    const auto& event = std::get<IssuedEvent>(admitted->front()->message);
    if (!batch.epochs.empty() && batch.epochs.front().epoch == event.epoch) handled(event);
    return save({}, last);
  }
}

// A coupon whose row is gone stays in the catalog, and would be superseded for ever: its records are
// dead-lettered. False when it was told to stop.
bool Consumer::look_anew(const SaveBatch& batch, Kept& records) {
  milliseconds backoff = options_.backoff_min;
  if (const auto refreshed = catalog_.catalog().refresh(); !refreshed)
    return pause(backoff, "store", refreshed.error());
  for (const CouponEpoch& coupon : batch.epochs) {
    const auto row = store_.coupon(coupon.coupon_id);
    if (row || row.error().code != Errc::not_found) continue;
    const auto left = std::ranges::stable_partition(records, [&](const LogRecord* record) {
      return std::get<IssuedEvent>(record->message).coupon_id != coupon.coupon_id;
    });
    for (const LogRecord* record : left) {
      if (!dead_letter(*record, "coupon_not_found")) return false;
    }
    records.erase(left.begin(), left.end());
  }
  return true;
}

SaveBatch Consumer::batch_of(std::span<const LogRecord* const> kept, const LastRecords& last) {
  SaveBatch batch{log_.group(), log_.topic(), {}, {}, {}};
  batch.events.reserve(kept.size());
  std::string_view present;
  for (const LogRecord* record : kept) {
    const auto& event = std::get<IssuedEvent>(record->message);
    batch.events.push_back(event);
    if (event.coupon_id == std::exchange(present, event.coupon_id)) continue;
    const auto coupon = catalog_.find(event.coupon_id);
    if (coupon && !planted("no_epoch_check_in_save") &&
        std::ranges::find(batch.epochs, coupon->id, &CouponEpoch::coupon_id) == batch.epochs.end()) {
      batch.epochs.push_back({coupon->id, coupon->epoch});
    }
  }
  for (const auto& [partition, record] : last) {
    batch.positions.push_back(
        {partition, position_[partition], record->offset + 1, log_.fingerprint(*record)});
  }
  return batch;
}

// A half's positions end at its last record of each partition; records that were dead-lettered or decided
// between the two halves are passed over by whichever half ends behind them, and repeating them is harmless.
Consumer::Saved Consumer::save_bisecting(std::span<const LogRecord* const> kept) {
  const std::size_t middle = kept.size() / 2;
  for (const auto half : {kept.first(middle), kept.subspan(middle)}) {
    LastRecords last;
    for (const LogRecord* record : half) last[record->partition] = record;
    if (const Saved saved = save(half, last); saved != Saved::yes) return saved;
  }
  return Saved::yes;
}

// The mistake "trim_before_commit".
void Consumer::trim_too_early(const SaveBatch& batch) {
  for (const IssuedEvent& event : batch.events) raise({event.coupon_id, event.sequence, event.epoch});
  mark_persisted();
}

Consumer::Saved Consumer::commit(const SaveBatch& batch, Error& rejection) {
  milliseconds backoff = options_.backoff_min;
  rejection = {};
  std::set<std::string> saved_alone;
  while (true) {
    if (planted("trim_before_commit")) trim_too_early(batch);
    if (planted("offset_first")) (void)store_.save({batch.group, batch.topic, {}, batch.positions});
    const auto began = ticker().now();
    const auto outcome = store_.save(batch);
    commit_seconds_.observe_seconds(std::chrono::duration<double>(ticker().now() - began).count());
    if (outcome) {
      if (*outcome == SaveOutcome::fenced) return Saved::fenced;
      if (*outcome == SaveOutcome::superseded) return Saved::superseded;
      if (*outcome == SaveOutcome::busy) {
        save_alone(batch, saved_alone);
        const Error busy{Errc::unavailable, "somebody holds a row that this batch needs"};
        if (!pause(backoff, "store", busy)) return Saved::gave_up;
        continue;
      }
      after_commit(batch);
      return Saved::yes;
    }
    if (outcome.error().code == Errc::rejected) {
      rejection = outcome.error();
      return Saved::gave_up;
    }
    if (!pause(backoff, "store", outcome.error())) return Saved::gave_up;
  }
}

// Whoever holds one coupon's row does not keep the others' users waiting. The position moves with the whole
// batch only.
void Consumer::save_alone(const SaveBatch& batch, std::set<std::string>& done) {
  if (batch.epochs.size() < 2) return;
  for (const CouponEpoch& coupon : batch.epochs) {
    if (stopping_) return;
    if (done.contains(coupon.coupon_id)) continue;
    SaveBatch one{batch.group, batch.topic, {}, {}, {coupon}};
    std::ranges::copy_if(batch.events, std::back_inserter(one.events),
                         [&](const IssuedEvent& event) { return event.coupon_id == coupon.coupon_id; });
    const auto outcome = store_.save(one);
    if (!outcome && outcome.error().code == Errc::unavailable) return;
    if (!outcome || *outcome != SaveOutcome::saved) continue;
    after_commit(one);
    mark_persisted();
    done.insert(coupon.coupon_id);
  }
}

}  // namespace seonchak
