#include "core/claims/recorder.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"

namespace seonchak {

Recorder::Recorder(Store& store, Catalog& catalog, UnsavedClaims& unsaved_claims, std::string process,
                   RecorderOptions options)
    : store_(store),
      catalog_(catalog),
      unsaved_claims_(unsaved_claims),
      process_(std::move(process)),
      options_(options) {}

// The catalog is read first: an answer that comes after it in an earlier epoch is not given to the user.
bool Recorder::step() {
  if (failpoint("no_recording")) return false;
  const CatalogSnapshot& catalog = catalog_.current();
  std::vector<std::string> ids = unsaved_claims_.coupons();
  std::ranges::sort(ids);
  std::erase_if(known_, [&](const auto& item) { return !std::ranges::binary_search(ids, item.first); });
  bool more = announce(catalog, ids);
  // From the one after the last on: a coupon with a million claims leaves room for the others.
  const auto next = std::ranges::upper_bound(ids, turn_);
  std::ranges::rotate(ids, next);
  for (const std::string& id : ids) {
    const auto coupon = catalog.find(id);
    if (!coupon || coupon->phase() == Phase::unopened) continue;
    Known& known = known_[id];
    if (coupon->is_open() ? hand_over(*coupon, known) : record(*coupon, known)) {
      turn_ = id;
      return true;
    }
  }
  return more;
}

bool Recorder::has_more(const std::string& coupon_id, const Known& known) const {
  return !unsaved_claims_.claims(coupon_id, known.recorded, UnsavedClaims::every_epoch, 1).claims.empty();
}

// A recovery waits for those who have said that they have something to say.
bool Recorder::announce(const CatalogSnapshot& catalog, const std::vector<std::string>& ids) {
  std::size_t announced = 0;
  for (const std::string& id : ids) {
    const auto coupon = catalog.find(id);
    if (!coupon || coupon->phase() != Phase::recovering) continue;
    Known& known = known_[id];
    if (known.announced == coupon->epoch || known.refused == coupon->epoch || !has_more(id, known)) continue;
    if (announced++ == options_.intents_per_step) return true;
    const auto begun = store_.begin_recording(id, coupon->epoch, process_);
    if (!begun) return false;
    (*begun ? known.announced : known.refused) = coupon->epoch;
  }
  return false;
}

// False when nothing was written.
bool Recorder::record(const Coupon& coupon, Known& known) {
  if (known.announced != coupon.epoch) return false;
  const auto page = unsaved_claims_.claims(coupon.id, known.recorded, UnsavedClaims::every_epoch,
                                           options_.claims_per_statement);
  if (page.claims.empty()) {
    withdraw(coupon.id, known);
    return false;
  }
  const auto heard = store_.record_unsaved(coupon.id, coupon.epoch, process_, page.claims);
  if (!heard) return false;
  if (!*heard) {
    known.announced = 0;
    known.refused = coupon.epoch;
    return false;
  }
  known.recorded = page.last;
  if (!has_more(coupon.id, known)) withdraw(coupon.id, known);
  return true;
}

void Recorder::withdraw(const std::string& coupon_id, Known& known) {
  if (store_.end_recording(coupon_id, known.announced, process_)) known.announced = 0;
}

// What was recorded has been decided by the recovery, which is over. The rest it went on without.
bool Recorder::hand_over(const Coupon& coupon, Known& known) {
  if (known.announced != 0) withdraw(coupon.id, known);
  unsaved_claims_.forget(coupon.id, coupon.epoch, known.recorded);
  const auto page =
      unsaved_claims_.claims(coupon.id, known.recorded, coupon.epoch, options_.claims_per_statement);
  if (page.claims.empty()) return false;
  SaveBatch batch;
  for (const KnownClaim& claim : page.claims) batch.late.push_back({coupon.id, claim});
  const auto saved = store_.save(batch);
  if (!saved || *saved != SaveOutcome::saved) return false;
  unsaved_claims_.forget(coupon.id, coupon.epoch, page.last);
  return true;
}

}  // namespace seonchak
