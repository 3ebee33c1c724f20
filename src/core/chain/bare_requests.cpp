#include "core/chain/bare_requests.hpp"

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
  if (error.code == Errc::unavailable || error.code == Errc::overloaded) {
    undecided_since_.erase(coupon_id);
    return false;
  }
  const auto time = ticker().now();
  const auto since = undecided_since_.try_emplace(coupon_id, time).first->second;
  return time - since >= options_.undecided_max;
}

std::optional<Error> BareRequests::step(ConsumeBatch& batch) {
  std::optional<Error> waiting;
  std::set<std::string> coupons;  // that cannot be decided now
  std::set<std::string> gates;    // that do not answer
  std::size_t decided = 0;
  for (const LogRecord* record : batch.with(Fate::bare)) {
    const auto& request = std::get<BareRequest>(record->message);
    const auto coupon = catalog_.find(request.coupon_id);
    if (!coupon || coupons.contains(coupon->id) || gates.contains(coupon->gate)) continue;
    if (decided == options_.per_step_max) break;
    const auto decision = ask(*coupon, request.user_id);
    if (decision) {
      ++decided;
      undecided_since_.erase(coupon->id);
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
    waiting = decision.error();
    coupons.insert(coupon->id);
    if (code == Errc::unavailable) gates.insert(coupon->gate);
  }
  return waiting;
}

}  // namespace seonchak
