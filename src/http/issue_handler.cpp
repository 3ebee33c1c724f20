#include <chrono>

#include "http/coupon_json.hpp"
#include "http/handlers.hpp"
#include "http/problem.hpp"

namespace seonchak {

namespace {

using Clock = std::chrono::steady_clock;

void reply_to_holder(Exchange& exchange, const IssueAnswer& issued) {
  const Call& call = exchange.call();
  Answer& answer = exchange.scratch();
  answer.status = issued.decision == Decision::issued ? 201 : 200;
  if (issued.pending) {
    answer.status = 202;
    call.services.issue_metrics.pending().add();
  }
  answer.valid_until = issued.valid_until;
  answer.body.clear();
  append_issued_json(answer.body, issued, call.id, call.request.user_id);
  exchange.reply(answer);
}

const Answer& coupon_not_found() {
  static const Answer answer = to_answer({ProblemCode::coupon_not_found, "There is no coupon with this id."});
  return answer;
}

const Answer& closed() {
  static const Answer answer = to_answer({ProblemCode::closed, "This coupon is no longer issued."});
  return answer;
}

const Answer& sold_out() {
  static const Answer answer =
      to_answer({ProblemCode::sold_out, "Every one of these coupons has been issued."});
  return answer;
}

void reply_with(Exchange& exchange, const IssueAnswer& answer) {
  switch (answer.decision) {
    case Decision::issued:
    case Decision::already_issued:
      return reply_to_holder(exchange, answer);
    case Decision::not_found:
      return exchange.reply(coupon_not_found());
    case Decision::closed:
      return exchange.reply(closed());
    case Decision::not_open:
      return exchange.reply(
          to_answer({ProblemCode::not_open, "This coupon is not issued yet.", {}, answer.opens_at}));
    case Decision::sold_out:
      return exchange.reply(sold_out());
  }
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
  reply_with(exchange, *result);
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
    return exchange.reply(coupon_not_found());
  }
  // Small and trivially copyable, so that the std::function holds it without allocating.
  exchange.issuer().issue(call.id, call.request.user_id,
                          [&exchange, started = Clock::now()](const Result<IssueAnswer>& result) {
                            finish(exchange, started, result);
                          });
}

}  // namespace seonchak
