#include "http/problem.hpp"

#include <array>
#include <cstdlib>

#include "http/json_text.hpp"

namespace seonchak {

namespace {

constexpr std::array problem_kinds = {
    ProblemKind{ProblemCode::bad_json, "bad_json", 400, false, "The body is not the JSON expected"},
    ProblemKind{ProblemCode::bad_user_id, "bad_user_id", 400, false, "The user id is missing or malformed"},
    ProblemKind{ProblemCode::bad_request, "bad_request", 400, false, "The request is malformed"},
    ProblemKind{ProblemCode::unauthorized, "unauthorized", 401, false, "The call is for administrators"},
    ProblemKind{ProblemCode::not_open, "not_open", 403, false, "Issuing has not started"},
    ProblemKind{ProblemCode::closed, "closed", 403, false, "Issuing has ended"},
    ProblemKind{ProblemCode::coupon_not_found, "coupon_not_found", 404, false, "No such coupon"},
    ProblemKind{ProblemCode::route_not_found, "route_not_found", 404, false, "No such path"},
    ProblemKind{ProblemCode::method_not_allowed, "method_not_allowed", 405, false,
                "Wrong method for this path"},
    ProblemKind{ProblemCode::request_timeout, "request_timeout", 408, false,
                "The request took too long to arrive"},
    ProblemKind{ProblemCode::coupon_exists, "coupon_exists", 409, false, "A coupon with that id exists"},
    ProblemKind{ProblemCode::sold_out, "sold_out", 409, false, "Sold out"},
    ProblemKind{ProblemCode::stock_below_issued, "stock_below_issued", 409, false,
                "More coupons are issued already"},
    ProblemKind{ProblemCode::body_too_large, "body_too_large", 413, false, "The body is too large"},
    ProblemKind{ProblemCode::unsupported_media_type, "unsupported_media_type", 415, false,
                "The body must be JSON"},
    ProblemKind{ProblemCode::invalid_coupon, "invalid_coupon", 422, false, "Some fields are wrong"},
    ProblemKind{ProblemCode::headers_too_large, "headers_too_large", 431, false, "The header is too large"},
    ProblemKind{ProblemCode::internal, "internal", 500, false, "Something went wrong here"},
    ProblemKind{ProblemCode::not_implemented, "not_implemented", 501, false, "Not implemented"},
    ProblemKind{ProblemCode::unavailable, "unavailable", 503, true, "Try again shortly"},
};

constexpr bool in_enum_order() {
  for (std::size_t i = 0; i < problem_kinds.size(); ++i) {
    if (problem_kinds[i].code != static_cast<ProblemCode>(i)) return false;
  }
  return problem_kinds.back().code == ProblemCode::unavailable;
}
static_assert(in_enum_order(), "kind_of indexes the table by code");

struct PublicReason {
  ProblemCode code;
  std::string_view detail;
};

PublicReason public_reason(Errc code) {
  switch (code) {
    case Errc::unavailable:
      return {ProblemCode::unavailable, "unavailable: a part of the service does not answer"};
    case Errc::gate_missing:
      return {ProblemCode::unavailable, "gate_missing: the coupon's state is not there yet"};
    case Errc::gate_epoch:
      return {ProblemCode::unavailable, "gate_epoch: the coupon's state is being verified"};
    case Errc::gate_untrusted:
      return {ProblemCode::unavailable, "gate_untrusted: the gate is being verified"};
    case Errc::gate_behind:
      return {ProblemCode::unavailable, "gate_behind: the coupon's state is being verified"};
    case Errc::gate_later:
      return {ProblemCode::unavailable, "gate_later: the coupon's state is being verified"};
    case Errc::gate_unusable:
      return {ProblemCode::unavailable, "gate_unusable: the coupon's state cannot be used"};
    case Errc::outbox_full:
      return {ProblemCode::unavailable, "outbox_full: there is no room for another issued coupon"};
    case Errc::row_held:
      return {ProblemCode::unavailable, "row_held: somebody holds the coupon's row in the database"};
    case Errc::overloaded:
      return {ProblemCode::unavailable, "overloaded: too many requests are waiting"};
    case Errc::not_found:
      return {ProblemCode::coupon_not_found, "There is no coupon with this id."};
    case Errc::already_exists:
      return {ProblemCode::coupon_exists, "Choose another id, or leave it out."};
    case Errc::stock_below_issued:
      return {ProblemCode::stock_below_issued, "The stock can not be less than what is issued."};
    case Errc::invalid:
      return {ProblemCode::invalid_coupon, "The change does not fit the coupon."};
    case Errc::rejected:
    case Errc::not_now:
      return {ProblemCode::internal, "The server could not save this."};
  }
  return {ProblemCode::internal, "The server failed to answer."};
}

void append_errors(std::string& out, const std::vector<FieldError>& errors) {
  out += ",\"errors\":[";
  for (const FieldError& error : errors) {
    if (out.back() != '[') out += ',';
    out += "{\"field\":";
    append_json_string(out, error.field);
    out += ",\"message\":";
    append_json_string(out, error.message);
    out += '}';
  }
  out += ']';
}

}  // namespace

const ProblemKind& kind_of(ProblemCode code) {
  return problem_kinds.at(static_cast<std::size_t>(code));
}

Answer to_answer(const Problem& problem) {
  const ProblemKind& kind = kind_of(problem.code);
  Answer answer{.status = kind.status, .content_type = problem_type, .body = {}, .headers = problem.headers};
  if (kind.retryable) answer.headers += "Retry-After: 1\r\n";
  std::string& body = answer.body;
  body.reserve(256);
  body += R"({"type":"urn:seonchak:problem:)";
  body += kind.name;
  body += R"(","title":")";
  body += kind.title;
  body += R"(","status":)";
  body += std::to_string(kind.status);
  body += R"(,"detail":)";
  append_json_string(body, problem.detail);
  body += R"(,"code":")";
  body += kind.name;
  body += '"';
  if (problem.opens_at) {
    body += ",\"opensAt\":";
    append_json_time(body, problem.opens_at);
  }
  if (!problem.errors.empty()) append_errors(body, problem.errors);
  body += '}';
  return answer;
}

const Answer& late_answer() {
  static const Answer answer =
      to_answer({ProblemCode::unavailable, "late: the answer took too long to be certain"});
  return answer;
}

Problem problem_of(const Error& error) {
  const PublicReason reason = public_reason(error.code);
  return {reason.code, std::string(reason.detail)};
}

}  // namespace seonchak
