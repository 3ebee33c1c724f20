#include "core/chain/bare_requests.hpp"

#include <algorithm>
#include <set>

#include "base/ticker.hpp"

namespace seonchak {

// A coupon that is not open cannot be claimed, but its keys may be unusable for good all the same.
Result<Decision> BareRequests::ask(const Coupon& coupon, const std::string& user_id) {
  if (!coupon.is_open()) {
    const auto state = gate_.state(coupon.id);
    if (!state && state.error().code != Errc::gate_missing) return state.error();
    return Error{Errc::gate_missing, "coupon " + coupon.id + " is not open in the gate yet"};
  }
  const auto reply = gate_.claim_now({coupon.id, coupon.epoch, 0, {user_id}, coupon.gate});
  if (!reply) return reply.error();
  return reply->claims.front().decision;
}

bool BareRequests::waited_enough(const std::string& coupon_id, const Error& error) {
  auto& since = coupons_[coupon_id].since;
  if (error.code == Errc::unavailable || error.code == Errc::overloaded) {
    since.reset();
    return false;
  }
  const auto time = ticker().now();
  if (!since) since = time;
  return time - *since >= options_.undecided_max;
}

BareRequests::TimePoint BareRequests::due(const std::string& coupon_id) {
  const auto known = coupons_.find(coupon_id);
  TimePoint due = known == coupons_.end() ? TimePoint{} : known->second.backoff.retry_at();
  if (gates_.empty()) return due;
  const auto coupon = catalog_.find(coupon_id);
  const auto gate = coupon ? gates_.find(coupon->gate) : gates_.end();
  return gate == gates_.end() ? due : std::max(due, gate->second.retry_at());
}

BareRequests::Turn BareRequests::step(ConsumeBatch& batch) {
  Turn turn;
  const auto began = ticker().now();
  std::set<std::string> coupons;  // that cannot be decided now
  std::set<std::string> gates;    // that do not answer
  std::size_t decided = 0;
  for (const LogRecord* record : batch.with(Fate::bare)) {
    const auto& request = std::get<BareRequest>(record->message);
    const auto coupon = catalog_.find(request.coupon_id);
    if (!coupon || coupons.contains(coupon->id) || gates.contains(coupon->gate)) continue;
    if (due(coupon->id) > began) {
      coupons.insert(coupon->id);
      continue;
    }
    if (decided == options_.per_step_max) {
      turn.more = true;
      break;
    }
    const auto decision = ask(*coupon, request.user_id);
    if (decision) {
      ++decided;
      coupons_.erase(coupon->id);
      gates_.erase(coupon->gate);
      if (*decision == Decision::issued || *decision == Decision::already_issued) {
        batch.settle(record);
      } else {
        batch.refuse(record, std::string(to_string(*decision)));
      }
      continue;
    }
    // A full outbox is a refusal, too: only consumers empty it, so one that waited could wait for itself.
    const Errc code = decision.error().code;
    if (code == Errc::outbox_full || code == Errc::gate_unusable ||
        waited_enough(coupon->id, decision.error())) {
      batch.refuse(record, std::string(to_string(code)));
      continue;
    }
    turn.waiting = decision.error();
    coupons.insert(coupon->id);
    coupons_[coupon->id].backoff.fail(backoff_);
    if (code != Errc::unavailable) continue;
    gates.insert(coupon->gate);
    gates_[coupon->gate].fail(backoff_);
  }
  return turn;
}

}  // namespace seonchak
