#pragma once
#include <string_view>

#include "core/admin/coupon_admin.hpp"
#include "http/problem.hpp"

namespace seonchak {

/// The input, or why it is refused.
template <class T>
using Input = boost::system::result<T, Problem>;

/// Lets result<T, Problem>::value() throw; found by argument-dependent lookup.
[[noreturn]] void throw_exception_from_error(const Problem& problem, const boost::source_location& where);

/// Reads the body of POST /v1/coupons: {"id"?, "name", "stock", "opensAt"?, "closesAt"?, "ack"?}.
/// Types are strict, unknown and repeated members are refused, and all that is wrong is named together.
/// Problems: bad_json, invalid_coupon.
Input<NewCoupon> read_new_coupon(std::string_view body, const CouponAdminOptions& options);

/// Reads the body of PATCH /v1/coupons/{id}: at least one of {"stock"?, "opensAt"?, "closesAt"?}; null takes
/// a bound of the window away. Problems: bad_json, invalid_coupon.
Input<CouponChange> read_coupon_change(std::string_view body, const CouponAdminOptions& options);

}  // namespace seonchak
