#include "core/model/coupon.hpp"

#include <algorithm>

namespace seonchak {

namespace {

bool letter_or_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string_view to_string(Ack ack) {
  switch (ack) {
    case Ack::gate:
      return "gate";
    case Ack::log:
      return "log";
    case Ack::store:
      return "store";
  }
  return "gate";
}

std::optional<Ack> parse_ack(std::string_view text) {
  for (const Ack ack : {Ack::gate, Ack::log, Ack::store}) {
    if (text == to_string(ack)) return ack;
  }
  return std::nullopt;
}

bool valid_coupon_id(std::string_view id) {
  if (id.empty() || id.size() > coupon_id_bytes_max) return false;
  return std::ranges::all_of(id,
                             [](char c) { return letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

std::optional<std::string_view> why_not_served(const Coupon& coupon) {
  const auto is_known = [](const std::optional<Time>& time) {
    return !time || time_from_millis(to_millis(*time));
  };
  if (!valid_coupon_id(coupon.id)) return "its id is not a valid one";
  if (!is_known(coupon.opens_at) || !is_known(coupon.closes_at) || !is_known(coupon.created_at))
    return "a time of its row is outside the years 1970 to 9999";
  return std::nullopt;
}

bool valid_user_id(std::string_view id) {
  if (id.empty() || id.size() > user_id_bytes_max) return false;
  return std::ranges::all_of(id, [](char c) {
    return letter_or_digit(c) || c == '.' || c == '_' || c == ':' || c == '@' || c == '-';
  });
}

}  // namespace seonchak
