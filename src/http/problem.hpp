#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "core/admin/coupon_admin.hpp"
#include "http/response.hpp"

namespace seonchak {

/// Every way a request can be refused. Clients hold on to the names, which are those of the `code` member.
enum class ProblemCode {
  bad_json,
  bad_user_id,
  bad_request,
  unauthorized,
  not_open,
  closed,
  coupon_not_found,
  route_not_found,
  method_not_allowed,
  request_timeout,
  coupon_exists,
  sold_out,
  stock_below_issued,
  body_too_large,
  unsupported_media_type,
  invalid_coupon,
  headers_too_large,
  internal,
  not_implemented,
  unavailable,
};

/// What is fixed about a code.
struct ProblemKind {
  ProblemCode code;
  std::string_view name;  ///< "sold_out"
  unsigned status;
  bool retryable;          ///< the same request may succeed later: carries Retry-After
  std::string_view title;  ///< "Sold out"
};

const ProblemKind& kind_of(ProblemCode code);

/// A refusal, sent as application/problem+json (RFC 9457) with `code` as an extension member.
struct Problem {
  ProblemCode code = ProblemCode::internal;
  std::string detail;                ///< for the client: never names a host, a query or a secret
  std::vector<FieldError> errors{};  ///< member "errors", when there are any
  std::optional<Time> opens_at{};    ///< member "opensAt", when there is one
  std::string headers{};             ///< further header lines, each ended by CRLF
};

Answer to_answer(const Problem& problem);

/// What is sent in the place of an answer whose time is over.
const Answer& late_answer();

/// What a client may know of a failure; the error's own message stays in the operator's log.
Problem problem_of(const Error& error);

}  // namespace seonchak
