#include "core/claims/late_claims.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

LateClaims::LateClaims(Store& store, GateControl& control, Catalog& catalog, Metrics& metrics,
                       LateClaimsOptions options)
    : store_(store),
      control_(control),
      catalog_(catalog),
      options_(options),
      decided_(metrics.counter("seonchak_late_claims_total",
                               "Issued coupons of an epoch before their coupon's that were decided.")),
      lost_(metrics.counter("seonchak_lost_holders_total",
                            "Holders that could not be given back: the stock had gone to others.")) {}

void LateClaims::look() {
  const auto now = ticker().now();
  if (now < next_look_) return;
  next_look_ = now + options_.period;
  const auto found = store_.coupons_with_late_claims(after_, options_.coupons_max);
  if (!found) return;
  // A part at each look: those that wait for long leave room for the others.
  after_ = found->size() == options_.coupons_max ? found->back() : std::string();
  std::map<std::string, Waiting> coupons;
  for (const std::string& id : *found) {
    const auto known = coupons_.find(id);
    coupons.emplace(id, known == coupons_.end() ? Waiting{now} : known->second);
  }
  coupons_ = std::move(coupons);
}

bool LateClaims::waiting() const {
  const auto now = ticker().now();
  return std::ranges::any_of(coupons_, [&](const auto& item) { return item.second.due <= now; });
}

bool LateClaims::decide() {
  const auto now = ticker().now();
  auto it = coupons_.upper_bound(turn_);
  for (std::size_t i = 0; i < coupons_.size(); ++i, ++it) {
    if (it == coupons_.end()) it = coupons_.begin();
    if (it->second.due > now) continue;
    turn_ = it->first;
    const auto more = decide(it->first, it->second);
    if (!more) {
      log::debug("late claims wait", {{"coupon", turn_}, {"why", more.error().message}});
      it->second = {ticker().now() + options_.retry, {}};
    } else if (!*more) {
      coupons_.erase(it);
    }
    return true;
  }
  return false;
}

// False when the coupon has none any more.
Result<bool> LateClaims::decide(const std::string& coupon_id, Waiting& place) {
  const auto coupon = catalog_.find(coupon_id);
  if (coupon && !coupon->is_open()) return Error{Errc::gate_epoch, "the coupon is being recovered"};
  auto claims = store_.late_claims(coupon_id, place.after, options_.claims_max);
  if (!claims) return claims.error();
  if (claims->empty() && place.some_wait) return Error{Errc::gate_behind, "the store does not have them yet"};
  if (claims->empty()) return false;
  if (!coupon) {
    if (const auto row = store_.coupon(coupon_id); row || row.error().code != Errc::not_found)
      return Error{Errc::unavailable, "the catalog does not have the coupon yet"};
    for (const KnownClaim& claim : *claims) lost(coupon_id, claim, "the coupon was deleted");
    if (auto done = store_.forget_late_claims(coupon_id, *claims); !done) return done.error();
    return true;
  }
  Verdict verdict = ask_gate(*coupon, *claims);
  if (!verdict.to_save.empty()) {
    if (auto saved = save_or_drop(*coupon, verdict.to_save); !saved) return saved.error();
    std::ranges::move(verdict.to_save, std::back_inserter(verdict.decided));
  }
  if (!verdict.decided.empty()) {
    if (auto done = store_.forget_late_claims(coupon_id, verdict.decided); !done) return done.error();
    decided_.add(verdict.decided.size());
  }
  if (!verdict.rest) return verdict.rest.error();
  place.some_wait = place.some_wait || verdict.some_wait;
  place.after = claims->back();
  return true;
}

LateClaims::Verdict LateClaims::ask_gate(const Coupon& coupon, const std::vector<KnownClaim>& claims) {
  Verdict verdict;
  std::vector<std::string> users;
  for (const KnownClaim& claim : claims) users.push_back(claim.holder.user_id);
  const auto holders = control_.holders_of(committed(coupon), users);
  if (!holders) {
    verdict.rest = holders.error();
    return verdict;
  }
  invariant(holders->size() == users.size(), "each user asked about has one answer");
  const auto state = control_.state(coupon.id);
  if (!state || state->epoch != coupon.epoch) {
    verdict.rest = state ? Error{Errc::gate_epoch, "the coupon is in another epoch"} : state.error();
    return verdict;
  }
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const auto& holder = (*holders)[i];
    if (!holder) {
      const auto issued = claim_again(coupon, claims[i]);
      if (!issued) {
        verdict.rest = issued.error();
        return verdict;
      }
      if (*issued) {
        verdict.some_wait = true;
      } else {
        lost(coupon.id, claims[i], "the stock has gone to others meanwhile");
        verdict.decided.push_back(claims[i]);
      }
    } else if (holder->sequence > state->persisted) {
      verdict.some_wait = true;
    } else if (holder->sequence == claims[i].holder.sequence) {
      verdict.to_save.push_back(claims[i]);  // a store that fell back lacks it
    } else {
      verdict.decided.push_back(claims[i]);
    }
  }
  return verdict;
}

// Issued, it comes through the outbox, with its new sequence.
Result<bool> LateClaims::claim_again(const Coupon& coupon, const KnownClaim& claim) {
  const auto reply = control_.claim_now({coupon.id, coupon.epoch, 0, {claim.holder.user_id}, coupon.gate});
  if (!reply) return reply.error();
  const Decision decision = reply->claims.front().decision;
  return decision == Decision::issued || decision == Decision::already_issued;
}

Result<SaveOutcome> LateClaims::save(const Coupon& coupon, std::span<const KnownClaim> claims) {
  SaveBatch batch;
  batch.epochs.push_back({coupon.id, coupon.epoch});
  for (const auto& [holder, epoch] : claims)
    batch.events.push_back({coupon.id, holder.user_id, holder.sequence, holder.issued_at, epoch});
  auto saved = store_.save(batch);
  if (!saved || *saved == SaveOutcome::saved) return saved;
  return Error{Errc::unavailable, "the coupon is being changed"};
}

// What is rejected together is tried by halves, down to the rows that are at fault.
Result<void> LateClaims::save_or_drop(const Coupon& coupon, std::span<const KnownClaim> claims) {
  const auto saved = save(coupon, claims);
  if (saved) return {};
  if (saved.error().code != Errc::rejected) return saved.error();
  if (claims.size() == 1) {
    lost(coupon.id, claims.front(), saved.error().message);
    return {};
  }
  const auto half = claims.size() / 2;
  if (const auto first = save_or_drop(coupon, claims.first(half)); !first) return first;
  return save_or_drop(coupon, claims.subspan(half));
}

void LateClaims::lost(const std::string& coupon_id, const KnownClaim& claim, std::string_view why) {
  lost_.add();
  log::error("an issued coupon was lost with the gate", {{"coupon", coupon_id},
                                                         {"user", claim.holder.user_id},
                                                         {"sequence", claim.holder.sequence},
                                                         {"why", why}});
}

}  // namespace seonchak
