#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace seonchak {

/// The answers to a call over many coupons: one per coupon asked, in order, so that one that cannot be used
/// stops no other. When nobody can be reached every element is `unavailable`.
template <class T>
using PerCoupon = std::vector<Result<T>>;

/// The invariant of whoever goes through the answers by index.
inline constexpr std::string_view one_answer_each = "each coupon asked about has one answer";

/// The same answer for each of `count` coupons.
template <class T>
PerCoupon<T> for_each_coupon(std::size_t count, const Error& error) {
  return PerCoupon<T>(count, Result<T>(error));
}

/// Why nobody could be reached; nothing when somebody was, or nobody was asked.
template <class T>
std::optional<Error> nobody_reached(const PerCoupon<T>& answers) {
  const auto unreached = [](const Result<T>& answer) {
    return !answer && answer.error().code == Errc::unavailable;
  };
  if (answers.empty() || !std::ranges::all_of(answers, unreached)) return std::nullopt;
  return answers.front().error();
}

/// A coupon that a call was about, and why it failed for it.
struct CouponFailure {
  std::string coupon_id;
  Error error;
};

}  // namespace seonchak
