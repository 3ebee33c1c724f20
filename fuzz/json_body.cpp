#include "core/model/coupon.hpp"
#include "fuzz.hpp"
#include "http/coupon_input.hpp"
#include "http/json_members.hpp"

using namespace seonchak;

/// What is accepted must be what the rest of the program may rely on.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = fuzz::text_of(data, size);
  (void)parse_json_members(body);
  if (const auto coupon = read_new_coupon(body, {})) {
    fuzz::require(coupon->id.empty() || valid_coupon_id(coupon->id));
    fuzz::require(coupon->stock >= 1 && coupon->stock <= stock_max);
    fuzz::require(!coupon->name.empty() && coupon->name.size() <= name_bytes_max);
    fuzz::require(!coupon->opens_at || !coupon->closes_at || *coupon->opens_at < *coupon->closes_at);
  }
  if (const auto change = read_coupon_change(body, {})) {
    fuzz::require(change->stock || change->opens_at || change->closes_at);
    fuzz::require(!change->stock || (*change->stock >= 1 && *change->stock <= stock_max));
  }
  return 0;
}
