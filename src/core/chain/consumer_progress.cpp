#include <algorithm>
#include <set>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "core/chain/consumer.hpp"

// What the consumer knows to be saved, and tells the gate, the log and those who wait for it.
namespace seonchak {

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

// Whoever waits for its row must not take the watermark for it.
void Consumer::rejected(const IssuedEvent& event) {
  rejected_[{event.coupon_id, event.epoch}].add(event.sequence);
  RejectedSequences one;
  one.add(event.sequence);
  watermarks_.rejected(event.coupon_id, event.epoch, one);
}

void Consumer::tell_rejected() {
  if (rejected_.empty()) return;
  std::vector<Watermark> sequences;
  for (const auto& [coupon, rejected] : rejected_)
    for (const Sequence sequence : rejected.kept)
      sequences.push_back({coupon.first, sequence, coupon.second});
  const auto answers = outbox_.reject(sequences);
  invariant(answers.size() == sequences.size(), one_answer_each);
  std::set<std::pair<std::string, Epoch>> untold;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (!answers[i] && answers[i].error().code == Errc::unavailable)
      untold.emplace(sequences[i].coupon_id, sequences[i].epoch);
  }
  std::erase_if(rejected_, [&](const auto& entry) { return !untold.contains(entry.first); });
}

void Consumer::raise_persisted() {
  tell_rejected();
  if (unmarked_.empty()) return;
  std::vector<Watermark> watermarks = unmarked();
  std::erase_if(watermarks, [this](const Watermark& watermark) {
    return rejected_.contains({watermark.coupon_id, watermark.epoch});
  });
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
  const auto waits = [this](const std::string& coupon_id) { return waiting_.waits(coupon_id); };
  const auto reach = [this](const std::string& coupon_id) { return log_.reach(coupon_id); };
  const auto refused = [this](const IssuedEvent& event) { rejected(event); };
  const auto watermarks =
      repair_.step(catalog_.current(), {log_.group(), log_.topic(), waits, reach, refused}, log_is_quiet_);
  for (const Watermark& watermark : watermarks) raise(watermark);
  watermarks_.persisted(watermarks);
}

}  // namespace seonchak
