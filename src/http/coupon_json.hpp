#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/admin/coupon_admin.hpp"
#include "core/admission/issuer.hpp"

namespace seonchak {

/// The JSON that clients see; docs/api.md lists the members. Ids are charset-safe and need no escaping.

/// A coupon with its numbers. Stock, window and `closed` are those in force in the gate; without the gate's
/// answer they are the store's, and issued, remaining, published and persisted are null.
std::string coupon_json(const CouponView& view);

/// A page of coupons as the store has them. `next` is the id to ask for more after, or empty at the end.
std::string coupon_list_json(const std::vector<Coupon>& coupons, std::string_view next);

std::string user_coupons_json(std::string_view user_id, const std::vector<HeldCoupon>& coupons);

/// Appends the answer to a user who holds the coupon: decision issued or already_issued.
void append_issued_json(std::string& out, const IssueAnswer& answer, std::string_view coupon_id,
                        std::string_view user_id);

}  // namespace seonchak
