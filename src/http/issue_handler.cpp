#include <chrono>

#include "http/coupon_json.hpp"
#include "http/handlers.hpp"
#include "http/problem.hpp"

namespace seonchak {

namespace {

using Clock = std::chrono::steady_clock;

Answer holder_answer(const IssueAnswer& answer, const Call& call) {
  unsigned status = answer.decision == Decision::issued ? 201 : 200;
  if (answer.pending) {
    status = 202;
    call.services.issue_metrics.pending().add();
  }
  return {status, json_type, issued_json(answer, call.id, call.request.user_id)};
}

Answer answer_of(const IssueAnswer& answer, const Call& call) {
  switch (answer.decision) {
    case Decision::issued:
    case Decision::already_issued:
      return holder_answer(answer, call);
    case Decision::not_found:
      return to_answer({ProblemCode::coupon_not_found, "There is no coupon with this id."});
    case Decision::closed:
      return to_answer({ProblemCode::closed, "This coupon is no longer issued."});
    case Decision::not_open:
      return to_answer({ProblemCode::not_open, "This coupon is not issued yet.", {}, answer.opens_at});
    case Decision::sold_out:
      return to_answer({ProblemCode::sold_out, "Every one of these coupons has been issued."});
  }
  return to_answer({ProblemCode::internal, "The server failed to answer."});
}

void finish(Exchange& exchange, Clock::time_point started, const Result<IssueAnswer>& result) {
  const Call& call = exchange.call();
  IssueMetrics& metrics = call.services.issue_metrics;
  metrics.seconds().observe_seconds(std::chrono::duration<double>(Clock::now() - started).count());
  if (!result) {
    metrics.unavailable().add();
    return exchange.reply(to_answer(problem_of(result.error())));
  }
  metrics.count(result->decision);
  exchange.reply(answer_of(*result, call));
}

}  // namespace

void issue_coupon(Exchange& exchange) {
  const Call& call = exchange.call();
  if (call.request.user_ids != 1 || !valid_user_id(call.request.user_id)) {
    return exchange.reply(
        to_answer({ProblemCode::bad_user_id,
                   "Send one X-User-Id header of 1 to 64 characters from A-Z a-z 0-9 . _ : @ -"}));
  }
  if (!valid_coupon_id(call.id)) {
    return exchange.reply(to_answer({ProblemCode::coupon_not_found, "There is no coupon with this id."}));
  }
  // Small and trivially copyable, so that the std::function holds it without allocating.
  exchange.issuer().issue(call.id, call.request.user_id,
                          [&exchange, started = Clock::now()](const Result<IssueAnswer>& result) {
                            finish(exchange, started, result);
                          });
}

}  // namespace seonchak
