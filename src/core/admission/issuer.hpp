#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "core/admission/refusal_cache.hpp"
#include "core/catalog/catalog.hpp"
#include "core/claims/unsaved_claims.hpp"
#include "core/model/times.hpp"
#include "core/ports/gate.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

struct IssuerOptions {
  std::size_t batch_users_max = claim_users_max;  ///< per gate call
  std::size_t queue_users_max = 65'536;           ///< per coupon and loop; the next is `overloaded`

  /// False when the gate dies with this process: a coupon that has not reached the store in time may yet be
  /// lost, so the answer is `unavailable`, never "issued, pending".
  bool gate_is_durable = true;

  /// With a gate that can fail over: an answer is only given while the catalog is younger than this, since a
  /// process that is cut off with the old master would not hear that another one is trusted now. 0: no limit.
  std::chrono::milliseconds fence_lease{0};

  /// A holder is told no later than this after the gate was asked, so nobody is told of a coupon after a
  /// recovery has settled without it: whatever the gate decided in between came before that recovery's fence,
  /// which is followed by recording_grace (1.5 s). Longer than a gate's call limit (1 s), and shorter than
  /// the grace by what a process needs to hear of the fence and to record (250 ms).
  /// docs/decisions/0011.
  std::chrono::milliseconds answer_limit = safety_times.answer_deadline;

  /// Of a coupon that is shut, that users ask for it is told so often: whoever recovers does it before
  /// others.
  std::chrono::milliseconds demand_period = safety_times.recovery_period;
};

/// The answer to one request.
struct IssueAnswer {
  Decision decision = Decision::not_found;
  Sequence sequence = 0;  ///< for issued and already_issued
  Time issued_at{};       ///< for issued and already_issued
  bool pending = false;   ///< the coupon's ack stage was not reached in time; the coupon is the user's
  std::optional<Time> opens_at{};  ///< for not_open

  /// By ticker().now(), read right before the answer is handed on: after it, nobody knows any more whether
  /// the coupon is still the user's, and the answer must be 503.
  std::chrono::steady_clock::time_point valid_until = std::chrono::steady_clock::time_point::max();
};

using IssueHandler = std::function<void(Result<IssueAnswer>)>;

/// Answers issue requests on one event loop. The requests for a coupon that are read in one turn of the loop,
/// or arrive during a gate call, go together in the next one, so the busier it is the less each costs.
///
/// Used from the loop's thread only. Every request gets exactly one answer; errors are those of Gate::claim
/// and `overloaded`. Must outlive the loop's last callback.
class Issuer {
 public:
  Issuer(Loop& loop, Gate& gate, CatalogReader& catalog, AckWaiters& waiters, Watermarks& watermarks,
         UnsavedClaims& unsaved_claims, RefusalReader& refusals, Metrics& metrics,
         IssuerOptions options = {});

  /// `user_id` must be valid_user_id. `handler` may be called before this returns.
  void issue(std::string_view coupon_id, std::string_view user_id, IssueHandler handler);

  /// Requests that have no answer yet.
  std::size_t in_flight() const { return in_flight_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Request {
    std::string user_id;
    IssueHandler handler;
  };
  struct Queue {
    std::deque<Request> waiting;
    bool sending_soon = false;
    bool calling = false;
    Epoch epoch = 0;             // of the last call
    Sequence sequence_seen = 0;  // in that epoch
    TimePoint called_at{};
    TimePoint next_demand{};  // when to tell again that users ask for it
  };

  bool refuse(const Coupon& coupon, std::string_view user_id, TimePoint catalog_as_of,
              const IssueHandler& handler);
  void issue_known(const Coupon& coupon, std::string user_id, IssueHandler handler);
  void tell_demand(const Coupon& coupon);
  void send(const std::string& coupon_id, Queue& queue);
  void on_reply(const std::string& coupon_id, Queue& queue, std::vector<Request> batch,
                const Result<ClaimReply>& reply);
  void remember(const std::string& coupon_id, const ClaimReply& reply, const std::vector<Request>& batch);
  bool in_doubt(const Coupon* coupon, Epoch epoch, TimePoint catalog_as_of) const;
  bool lease_is_over(TimePoint catalog_as_of) const;
  TimePoint valid_until(TimePoint known_at, TimePoint catalog_as_of) const;
  void wait_for_ack(const Coupon& coupon, Epoch epoch, IssueAnswer answer, IssueHandler handler);
  void on_ack(const std::string& coupon_id, Ack ack, Epoch epoch, bool reached, IssueAnswer answer,
              const IssueHandler& handler);
  void answer_claim(const Coupon* coupon, const GateState& state, const Claim& claim, TimePoint valid_until,
                    Request& request);
  void finish(const IssueHandler& handler, Result<IssueAnswer> answer);

  Loop& loop_;
  Gate& gate_;
  CatalogReader& catalog_;
  AckWaiters& waiters_;
  Watermarks& watermarks_;
  UnsavedClaims& unsaved_claims_;
  RefusalReader& refusals_;
  const IssuerOptions options_;
  TextMap<Queue> queues_;  // nodes are stable
  std::size_t in_flight_ = 0;

  Counter& gate_calls_;
  Counter& gate_users_;
  Counter& gate_failures_;
  Counter& refused_;
};

}  // namespace seonchak
