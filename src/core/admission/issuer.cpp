#include "core/admission/issuer.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"
#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

Issuer::Issuer(Loop& loop, Gate& gate, CatalogReader& catalog, AckWaiters& waiters, Watermarks& watermarks,
               UnsavedClaims& unsaved_claims, RefusalReader& refusals, Metrics& metrics,
               IssuerOptions options)
    : loop_(loop),
      gate_(gate),
      catalog_(catalog),
      waiters_(waiters),
      watermarks_(watermarks),
      unsaved_claims_(unsaved_claims),
      refusals_(refusals),
      options_(options),
      gate_calls_(metrics.counter("seonchak_gate_calls_total", "Atomic claim calls made to the gate.")),
      gate_users_(metrics.counter("seonchak_gate_users_total", "Users carried by those calls.")),
      gate_failures_(
          metrics.counter("seonchak_gate_failures_total", "Claim calls that failed or were in doubt.")),
      refused_(metrics.counter("seonchak_refused_from_memory_total",
                               "Users refused without asking the gate, which would have refused too.")) {}

void Issuer::issue(std::string_view coupon_id, std::string_view user_id, IssueHandler handler) {
  ++in_flight_;
  const TimePoint as_of = catalog_.catalog().current_as_of();
  if (const auto coupon = catalog_.find(coupon_id); coupon && coupon->phase() != Phase::unopened) {
    if (refuse(*coupon, user_id, as_of, handler)) return;
    return issue_known(*coupon, std::string(user_id), std::move(handler));
  }
  // The coupon may have been made by another process a moment ago: look once more after a refresh.
  auto again = [this, id = std::string(coupon_id), user = std::string(user_id),
                handler = std::move(handler)](const Result<void>& refreshed) mutable {
    const auto coupon = catalog_.find(id);
    if (!coupon && !refreshed) return finish(handler, refreshed.error());
    if (!coupon) return finish(handler, IssueAnswer{.decision = Decision::not_found});
    if (coupon->phase() == Phase::unopened)
      return finish(handler, Error{Errc::gate_missing, "the coupon is not open in the gate yet"});
    issue_known(*coupon, std::move(user), std::move(handler));
  };
  catalog_.catalog().refresh_then([this, again = std::move(again)](const Result<void>& refreshed) mutable {
    loop_.post([again = std::move(again), refreshed]() mutable { again(refreshed); });
  });
}

bool Issuer::refuse(const Coupon& coupon, std::string_view user_id, TimePoint catalog_as_of,
                    const IssueHandler& handler) {
  const Refusal* const refusal = refusals_.find(coupon, user_id, catalog_as_of);
  if (refusal == nullptr) return false;
  refused_.add();
  finish(handler, IssueAnswer{.decision = refusal->decision, .opens_at = refusal->opens_at});
  return true;
}

void Issuer::issue_known(const Coupon& coupon, std::string user_id, IssueHandler handler) {
  if (!coupon.is_open()) {
    tell_demand(coupon);
    return finish(handler, Error{Errc::gate_epoch, "the coupon is being recovered"});
  }
  auto it = queues_.find(coupon.id);
  if (it == queues_.end()) it = queues_.emplace(coupon.id, Queue{}).first;
  Queue& queue = it->second;
  if (queue.waiting.size() >= options_.queue_users_max) {
    return finish(handler, Error{Errc::overloaded, "too many requests wait for the gate"});
  }
  queue.waiting.push_back({std::move(user_id), std::move(handler)});
  if (queue.calling || std::exchange(queue.sending_soon, true)) return;
  // Who else is read in this turn of the loop goes with the same batch.
  loop_.post([this, &id = it->first, &queue] { send(id, queue); });
}

// The gate has not been asked, so nobody else says that the coupon is wanted.
void Issuer::tell_demand(const Coupon& coupon) {
  const auto now = ticker().now();
  TimePoint& next = queues_[coupon.id].next_demand;
  if (now < next) return;
  next = now + options_.demand_period;
  unsaved_claims_.doubt(coupon.id, coupon.epoch, 0);
}

void Issuer::send(const std::string& coupon_id, Queue& queue) {
  const auto coupon = catalog_.find(coupon_id);
  std::vector<Request> batch;
  const std::size_t users = std::min(queue.waiting.size(), options_.batch_users_max);
  batch.reserve(users);
  const Epoch epoch = coupon ? coupon->epoch : 0;
  if (epoch != queue.epoch) {
    queue.epoch = epoch;
    queue.sequence_seen = 0;
  }
  ClaimBatch claims{coupon_id, epoch, queue.sequence_seen, {}, coupon ? coupon->gate : std::string()};
  if (failpoint("no_fence")) claims.gate.clear();
  claims.users.reserve(users);
  for (std::size_t i = 0; i < users; ++i) {
    batch.push_back(std::move(queue.waiting.front()));
    queue.waiting.pop_front();
    claims.users.push_back(batch.back().user_id);
  }
  queue.sending_soon = false;
  queue.calling = true;
  queue.called_at = ticker().now();
  gate_calls_.add();
  gate_users_.add(users);
  gate_.claim(std::move(claims),
              [this, &coupon_id, &queue, batch = std::move(batch)](const Result<ClaimReply>& reply) mutable {
                on_reply(coupon_id, queue, std::move(batch), reply);
              });
}

void Issuer::on_reply(const std::string& coupon_id, Queue& queue, std::vector<Request> batch,
                      const Result<ClaimReply>& reply) {
  queue.calling = false;
  const Epoch epoch = queue.epoch;
  const TimePoint called_at = queue.called_at;
  if (reply) queue.sequence_seen = std::max(queue.sequence_seen, reply->state.sequence);
  const Sequence sequence_seen = queue.sequence_seen;
  // The next batch leaves first: the gate works while this one is being answered.
  if (!queue.waiting.empty()) send(coupon_id, queue);

  if (!reply) {
    gate_failures_.add();
    if (reply.error().code != Errc::unavailable && reply.error().code != Errc::outbox_full) {
      unsaved_claims_.doubt(coupon_id, epoch, sequence_seen);
    }
    for (Request& request : batch) finish(request.handler, reply.error());
    return;
  }
  invariant(reply->claims.size() == batch.size(), "each user of a batch has one answer");
  if (!failpoint("ack_before_remembering")) remember(coupon_id, *reply, batch);
  const Watermark published{coupon_id, reply->state.published, epoch};
  watermarks_.shown({&published, 1}, called_at);
  watermarks_.published({&published, 1});
  // How far the store is tells whoever can tell, too, what it will not have: a poller, or the consumer of
  // this process, beside which an embedded gate always is.
  const Watermark persisted{coupon_id, reply->state.persisted, epoch};
  if (!options_.gate_is_durable) watermarks_.persisted({&persisted, 1});
  const TimePoint as_of = catalog_.catalog().current_as_of();
  const auto coupon = catalog_.find(coupon_id);
  if (in_doubt(coupon.get(), epoch, as_of)) {
    const Error doubt{Errc::gate_epoch, "another gate may be trusted by now"};
    for (Request& request : batch) finish(request.handler, doubt);
    return;
  }
  if (coupon) refusals_.seen(*coupon, reply->state, called_at);
  const TimePoint until = valid_until(called_at, as_of);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    answer_claim(coupon.get(), reply->state, reply->claims[i], until, batch[i]);
  }
  if (failpoint("ack_before_remembering")) {
    loop_.post(
        [this, coupon_id, reply = *reply, batch = std::move(batch)] { remember(coupon_id, reply, batch); });
  }
}

void Issuer::remember(const std::string& coupon_id, const ClaimReply& reply,
                      const std::vector<Request>& batch) {
  if (!options_.gate_is_durable) return;
  std::vector<Holder> fresh;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Claim& claim = reply.claims[i];
    const Holder holder{batch[i].user_id, claim.sequence, claim.issued_at};
    if (claim.decision == Decision::issued) fresh.push_back(holder);
    // Issued by a call whose answer was lost, or through another process: this one may be all who was told.
    if (claim.decision == Decision::already_issued && claim.sequence > reply.state.persisted)
      unsaved_claims_.already_issued(coupon_id, reply.state.epoch, holder);
  }
  unsaved_claims_.issued(coupon_id, reply.state.epoch, std::move(fresh));
}

bool Issuer::in_doubt(const Coupon* coupon, Epoch epoch, TimePoint catalog_as_of) const {
  return coupon == nullptr || coupon->epoch != epoch || lease_is_over(catalog_as_of);
}

bool Issuer::lease_is_over(TimePoint catalog_as_of) const {
  if (options_.fence_lease.count() == 0 || failpoint("no_lease")) return false;
  return ticker().now() - catalog_as_of > options_.fence_lease;
}

/// For what was true at `known_at` in its epoch: no recovery had fenced the coupon then.
Issuer::TimePoint Issuer::valid_until(TimePoint known_at, TimePoint catalog_as_of) const {
  if (failpoint("late_answer")) return TimePoint::max();
  const TimePoint until = known_at + options_.answer_limit;
  if (options_.fence_lease.count() == 0 || failpoint("no_lease")) return until;
  return std::min(until, catalog_as_of + options_.fence_lease);
}

void Issuer::answer_claim(const Coupon* coupon, const GateState& state, const Claim& claim,
                          TimePoint valid_until, Request& request) {
  IssueAnswer answer{claim.decision, claim.sequence, claim.issued_at, false, state.opens_at};
  const bool holds = claim.decision == Decision::issued || claim.decision == Decision::already_issued;
  if (!holds) return finish(request.handler, answer);
  answer.valid_until = valid_until;
  const Ack ack = coupon != nullptr ? coupon->ack : Ack::gate;
  if (ack == Ack::gate) return finish(request.handler, answer);

  wait_for_ack(*coupon, state.epoch, answer, std::move(request.handler));
}

void Issuer::wait_for_ack(const Coupon& coupon, Epoch epoch, IssueAnswer answer, IssueHandler handler) {
  waiters_.wait({coupon.id, answer.sequence, epoch}, coupon.ack,
                [this, id = coupon.id, ack = coupon.ack, epoch, answer, handler = std::move(handler)](
                    bool reached) mutable { on_ack(id, ack, epoch, reached, answer, handler); });
}

void Issuer::on_ack(const std::string& coupon_id, Ack ack, Epoch epoch, bool reached, IssueAnswer answer,
                    const IssueHandler& handler) {
  const TimePoint as_of = catalog_.catalog().current_as_of();
  const auto coupon = catalog_.find(coupon_id);
  // A row is there for good. The log's word is not: a relay that slept through a recovery may hear of an
  // event that the log took after that recovery had read it.
  const bool has_row = reached && ack == Ack::store;
  const TimePoint store_knew = coupon && coupon->epoch == epoch ? as_of : TimePoint();
  const TimePoint known_at = std::max(store_knew, watermarks_.shown_at(coupon_id, epoch));
  answer.valid_until = has_row ? TimePoint::max() : valid_until(known_at, as_of);
  // Cut off with a former master, this process may hear of watermarks that came too late.
  if (reached && !lease_is_over(as_of)) return finish(handler, answer);
  // Not confirmed in its own epoch: nobody knows any more what has become of it.
  if (watermarks_.of(coupon_id).epoch > epoch || in_doubt(coupon.get(), epoch, as_of))
    return finish(handler, Error{Errc::gate_epoch, "the coupon was recovered meanwhile"});
  if (!options_.gate_is_durable)
    return finish(handler, Error{Errc::unavailable, "the store did not confirm in time"});
  answer.pending = true;
  finish(handler, answer);
}

void Issuer::finish(const IssueHandler& handler, Result<IssueAnswer> answer) {
  --in_flight_;
  handler(std::move(answer));
}

}  // namespace seonchak
