#include "http/coupon_json.hpp"

#include <algorithm>

#include "http/json_text.hpp"

namespace seonchak {

namespace {

/// Opens the object with what never depends on the gate.
void append_identity(std::string& out, const Coupon& coupon) {
  out += R"({"id":")";
  out += coupon.id;
  out += R"(","name":)";
  append_json_string(out, coupon.name);
}

void append_number(std::string& out, std::string_view name, std::int64_t number) {
  out += ",\"";
  out += name;
  out += "\":";
  out += std::to_string(number);
}

template <class Meaning>
void append_number(std::string& out, std::string_view name, Id<Meaning> id) {
  append_number(out, name, id.value());
}

void append_time(std::string& out, std::string_view name, const std::optional<Time>& time) {
  out += ",\"";
  out += name;
  out += "\":";
  append_json_time(out, time);
}

/// Closes the object that append_identity has opened.
void append_terms(std::string& out, const Coupon& coupon) {
  append_time(out, "opensAt", coupon.opens_at);
  append_time(out, "closesAt", coupon.closes_at);
  out += R"(,"ack":")";
  out += to_string(coupon.ack);
  out += R"(","closed":)";
  out += coupon.closed ? "true" : "false";
  append_time(out, "createdAt", coupon.created_at);
  out += '}';
}

void append_progress(std::string& out, const GateState& state) {
  append_number(out, "issued", state.issued);
  append_number(out, "remaining", std::max<std::int64_t>(0, state.stock - state.issued));
  append_number(out, "published", state.published);
  append_number(out, "persisted", state.persisted);
}

}  // namespace

std::string coupon_json(const CouponView& view) {
  Coupon in_force = view.coupon;
  if (view.gate) {
    in_force.stock = view.gate->stock;
    in_force.opens_at = view.gate->opens_at;
    in_force.closes_at = view.gate->closes_at;
    in_force.closed = view.gate->closed;
  }
  std::string out;
  out.reserve(512);
  append_identity(out, in_force);
  append_number(out, "stock", in_force.stock);
  if (view.gate) {
    append_progress(out, *view.gate);
  } else {
    out += R"(,"issued":null,"remaining":null,"published":null,"persisted":null)";
  }
  out += R"(,"status":")";
  out += to_string(status_of(view));
  out += '"';
  append_terms(out, in_force);
  return out;
}

std::string coupon_list_json(const std::vector<Coupon>& coupons, std::string_view next) {
  std::string out = R"({"coupons":[)";
  for (const Coupon& coupon : coupons) {
    if (out.back() != '[') out += ',';
    append_identity(out, coupon);
    append_number(out, "stock", coupon.stock);
    append_terms(out, coupon);
  }
  out += R"(],"next":)";
  if (next.empty()) {
    out += "null";
  } else {
    append_json_string(out, next);
  }
  out += '}';
  return out;
}

std::string user_coupons_json(std::string_view user_id, const std::vector<HeldCoupon>& coupons) {
  std::string out = R"({"userId":")";
  out += user_id;
  out += R"(","coupons":[)";
  for (const HeldCoupon& held : coupons) {
    if (out.back() != '[') out += ',';
    out += R"({"couponId":")";
    out += held.coupon_id;
    out += '"';
    append_number(out, "sequence", held.sequence);
    append_time(out, "issuedAt", held.issued_at);
    out += held.persisted ? R"(,"state":"persisted"})" : R"(,"state":"pending"})";
  }
  out += "]}";
  return out;
}

void append_issued_json(std::string& out, const IssueAnswer& answer, std::string_view coupon_id,
                        std::string_view user_id) {
  out += R"({"result":")";
  out += to_string(answer.decision);
  out += R"(","couponId":")";
  out += coupon_id;
  out += R"(","userId":")";
  out += user_id;
  out += '"';
  append_number(out, "sequence", answer.sequence);
  append_time(out, "issuedAt", answer.issued_at);
  if (answer.pending) out += R"(,"state":"pending")";
  out += '}';
}

}  // namespace seonchak
