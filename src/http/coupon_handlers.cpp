#include <charconv>

#include <boost/beast/core/string.hpp>

#include "base/log.hpp"
#include "http/coupon_input.hpp"
#include "http/coupon_json.hpp"
#include "http/handlers.hpp"
#include "http/query.hpp"

namespace seonchak {

namespace {

constexpr std::size_t page_coupons_default = 100;

Answer no_such_coupon() {
  return to_answer({ProblemCode::coupon_not_found, "There is no coupon with this id."});
}

/// The client is told the kind of failure, the log its cause.
Answer failed(const Call& call, const Error& error) {
  const Problem problem = problem_of(error);
  if (kind_of(problem.code).status >= 500) {
    log::warn("call failed",
              {{"path", call.request.path()}, {"code", to_string(error.code)}, {"why", error.message}});
  }
  return to_answer(problem);
}

/// Absent is fine; a type that says the body is something else is not.
bool may_be_json(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  const auto ends_with = [&](std::string_view suffix) {
    if (content_type.size() < suffix.size()) return false;
    const auto end = content_type.substr(content_type.size() - suffix.size());
    return boost::beast::iequals({end.data(), end.size()}, {suffix.data(), suffix.size()});
  };
  return content_type.empty() || ends_with("/json") || ends_with("+json");
}

Answer not_json() {
  return to_answer({ProblemCode::unsupported_media_type, "Send the body as Content-Type: application/json."});
}

std::optional<std::size_t> page_size(std::string_view query) {
  const auto text = query_value(query, "limit");
  if (!text) return page_coupons_default;
  std::size_t limit = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, limit);
  if (error != std::errc{} || stop != end || limit < 1 || limit > coupons_page_max) return std::nullopt;
  return limit;
}

/// The coupon as it is now; what was just written, should the gate or the store fall silent in between.
Answer coupon_answer(const Call& call, unsigned status, const Coupon& coupon) {
  const auto view = call.services.coupon_admin->show(coupon.id);
  return {status, json_type, coupon_json(view ? *view : CouponView{coupon, std::nullopt})};
}

}  // namespace

Answer create_coupon(const Call& call) {
  if (!may_be_json(call.request.content_type)) return not_json();
  const auto input = read_new_coupon(call.request.body, call.services.coupon_admin->options());
  if (!input) return to_answer(input.error());
  const auto created = call.services.coupon_admin->create(*input);
  if (!created) return failed(call, created.error());
  Answer answer = coupon_answer(call, 201, *created);
  answer.headers = "Location: /v1/coupons/" + created->id + "\r\n";
  return answer;
}

Answer list_coupons(const Call& call) {
  const auto limit = page_size(call.request.query());
  if (!limit) return to_answer({ProblemCode::bad_request, "limit must be a number from 1 to 1000."});
  const std::string after = query_value(call.request.query(), "after").value_or("");
  if (!after.empty() && !valid_coupon_id(after)) {
    return to_answer({ProblemCode::bad_request, "after must be the id of a coupon, as \"next\" gives it."});
  }
  const auto coupons = call.services.coupon_admin->list(after, *limit);
  if (!coupons) return failed(call, coupons.error());
  const bool full = coupons->size() == *limit;
  return {200, json_type, coupon_list_json(*coupons, full ? coupons->back().id : std::string())};
}

Answer show_coupon(const Call& call) {
  if (!valid_coupon_id(call.id)) return no_such_coupon();
  const auto view = call.services.coupon_admin->show(std::string(call.id));
  if (!view) return failed(call, view.error());
  return {200, json_type, coupon_json(*view)};
}

Answer change_coupon(const Call& call) {
  if (!valid_coupon_id(call.id)) return no_such_coupon();
  if (!may_be_json(call.request.content_type)) return not_json();
  const auto input = read_coupon_change(call.request.body, call.services.coupon_admin->options());
  if (!input) return to_answer(input.error());
  const auto changed = call.services.coupon_admin->change(std::string(call.id), *input);
  if (changed) return coupon_answer(call, 200, *changed);
  if (changed.error().code != Errc::invalid) return failed(call, changed.error());
  return to_answer({ProblemCode::invalid_coupon,
                    "Together with what the coupon has, the window would be empty.",
                    {{"closesAt", "must be later than opensAt"}}});
}

Answer close_coupon(const Call& call) {
  if (!valid_coupon_id(call.id)) return no_such_coupon();
  const auto closed = call.services.coupon_admin->close(std::string(call.id));
  if (!closed) return failed(call, closed.error());
  return coupon_answer(call, 200, *closed);
}

Answer show_user_coupons(const Call& call) {
  if (!valid_user_id(call.id)) {
    return to_answer(
        {ProblemCode::bad_user_id, "A user id is 1 to 64 characters from A-Z a-z 0-9 . _ : @ -"});
  }
  const auto coupons = call.services.coupon_admin->coupons_of(std::string(call.id));
  if (!coupons) return failed(call, coupons.error());
  return {200, json_type, user_coupons_json(call.id, *coupons)};
}

}  // namespace seonchak
