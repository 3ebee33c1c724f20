#include "core/chain/consume_batch.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"

namespace seonchak {

namespace {

Fate fate_in(const LogRecord& record, const Coupon& coupon) {
  const auto* event = std::get_if<IssuedEvent>(&record.message);
  if (event == nullptr) return Fate::bare;
  return event->epoch != 0 && event->epoch < coupon.epoch ? Fate::late : Fate::issued;
}

}  // namespace

const std::string& coupon_of(const LogRecord& record) {
  if (const auto* event = std::get_if<IssuedEvent>(&record.message)) return event->coupon_id;
  const auto* bare = std::get_if<BareRequest>(&record.message);
  invariant(bare != nullptr, "a malformed record is refused before anybody asks for its coupon");
  return bare->coupon_id;
}

ConsumeBatch::ConsumeBatch(std::vector<LogRecord> records, std::chrono::steady_clock::time_point polled_at)
    : records_(std::move(records)), polled_at_(polled_at), fates_(records_.size(), Fate::unknown) {
  counts_[static_cast<std::size_t>(Fate::unknown)] = records_.size();
  for (const LogRecord& record : records_) {
    ends_[record.partition] = &record;
    if (const auto* malformed = std::get_if<Malformed>(&record.message)) refuse(&record, malformed->reason);
  }
}

void ConsumeBatch::set(std::size_t index, Fate fate) {
  --counts_[static_cast<std::size_t>(std::exchange(fates_[index], fate))];
  ++counts_[static_cast<std::size_t>(fate)];
}

bool ConsumeBatch::sort(CatalogReader& catalog) {
  std::shared_ptr<const Coupon> coupon;  // neighbours are often of one coupon
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const Fate fate = fates_[i];
    if (fate == Fate::refused || fate == Fate::settled || fate == Fate::aside) continue;
    const std::string& id = coupon_of(records_[i]);
    if (!gone_.empty() && gone_.contains(id)) {
      refuse(&records_[i], "coupon_not_found");
      continue;
    }
    if (!coupon || coupon->id != id) coupon = catalog.find(id);
    set(i, coupon ? fate_in(records_[i], *coupon) : Fate::unknown);
  }
  return !has(Fate::unknown);
}

void ConsumeBatch::gone(const std::string& coupon_id) {
  gone_.insert(coupon_id);
}

void ConsumeBatch::refuse_unknown() {
  for (const LogRecord* record : with(Fate::unknown)) refuse(record, "coupon_not_found");
}

ConsumeBatch::Records ConsumeBatch::with(Fate fate) const {
  Records found;
  if (!has(fate)) return found;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (fates_[i] == fate) found.push_back(&records_[i]);
  }
  return found;
}

ConsumeBatch::Records ConsumeBatch::unsaved() const {
  Records found;
  found.reserve(records_.size());
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (fates_[i] == Fate::issued || fates_[i] == Fate::late) found.push_back(&records_[i]);
  }
  return found;
}

void ConsumeBatch::refuse(const LogRecord* record, std::string reason) {
  set(index_of(record), Fate::refused);
  letters_.push_back({record, std::move(reason)});
}

void ConsumeBatch::sort_letters() {
  std::ranges::sort(letters_, {}, [this](const RefusedRecord& letter) { return index_of(letter.record); });
}

std::vector<RefusedRecord> ConsumeBatch::letters_sent() {
  for (const RefusedRecord& letter : letters_) settle(letter.record);
  return std::exchange(letters_, {});
}

}  // namespace seonchak
