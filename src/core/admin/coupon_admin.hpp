#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/admin/unsaved_coupons.hpp"
#include "core/catalog/catalog.hpp"
#include "core/catalog/propagator.hpp"
#include "core/model/coupon.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// One thing wrong with the caller's input.
struct FieldError {
  std::string field;    ///< as the client spells it: "opensAt"
  std::string message;  ///< what to send instead
};

struct NewCoupon {
  std::string id;  ///< empty: the store numbers it
  std::string name;
  std::int64_t stock = 0;
  std::optional<Time> opens_at;
  std::optional<Time> closes_at;
  std::optional<Ack> ack;  ///< absent: CouponAdminOptions::default_ack
};

/// Absent fields stay as they are; a window bound that is present but empty is taken away.
struct CouponChange {
  std::optional<std::int64_t> stock;
  std::optional<std::optional<Time>> opens_at;
  std::optional<std::optional<Time>> closes_at;
};

/// In order of precedence, as Decision has it.
enum class CouponStatus { closed, scheduled, sold_out, open };
std::string_view to_string(CouponStatus status);

/// A coupon with the gate's numbers; `gate` is absent when it does not answer.
struct CouponView {
  Coupon coupon;
  std::optional<GateState> gate;
};

/// The status as of the gate's clock, or the machine's when the gate does not answer.
CouponStatus status_of(const CouponView& view);

/// A coupon of one user; pending until the store has it.
struct HeldCoupon {
  std::string coupon_id;
  Sequence sequence = 0;
  Time issued_at{};
  bool persisted = false;
};

struct CouponAdminOptions {
  Ack default_ack = Ack::gate;
  /// False when the gate dies with this process; then only ack=store keeps the promise that nothing
  /// acknowledged is lost, and any other is refused.
  bool gate_is_durable = true;
  std::size_t user_coupons_max = 1'000;  ///< the most one answer lists

  /// As PropagatorOptions::loosening_delay; a call that lets in more users takes that long.
  std::chrono::milliseconds loosening_delay = safety_times.loosening_delay;

  /// Which coupons have been issued here and are perhaps not saved yet; coupons_of asks for these first.
  std::function<std::vector<std::string>()> unsaved_here{};
  UnsavedCouponsOptions unsaved{};
};

/// What is wrong with a new coupon; empty when nothing is.
std::vector<FieldError> validate(const NewCoupon& coupon, const CouponAdminOptions& options);

/// What operators do with coupons, and what a user holds. A call carries its own change to the gate; what it
/// cannot propagate is left to the propagator. Calls block on the store and the gate; safe from any thread.
class CouponAdmin {
 public:
  /// `readers` is the same store, for the calls that anybody may make: show() and coupons_of().
  CouponAdmin(Store& store, Store& readers, GateControl& gate, Catalog& catalog, Propagator& propagator,
              CouponAdminOptions options);

  /// `coupon` must validate. When this returns, the coupon can be issued here, and elsewhere on the first
  /// request. Errors: already_exists, unavailable.
  Result<Coupon> create(const NewCoupon& coupon);

  /// In force in every process when it returns. The gate's stock is never above the store's: a lower stock
  /// goes to the gate before the store commits it, a higher one after. Errors: not_found, stock_below_issued,
  /// invalid (the window would end before it starts), unavailable.
  Result<Coupon> change(const std::string& id, const CouponChange& change);

  /// Closes for good; closing twice is fine. Errors: not_found, unavailable.
  Result<Coupon> close(const std::string& id);

  /// Errors: not_found, unavailable.
  Result<CouponView> show(const std::string& id);

  /// A page in order of id, after `after_id`; gate numbers are left out.
  Result<std::vector<Coupon>> list(const std::string& after_id, std::size_t limit);

  /// Rows of the store, and what the gate has issued beyond them, newest first.
  Result<std::vector<HeldCoupon>> coupons_of(const std::string& user_id);

  const CouponAdminOptions& options() const { return options_; }

 private:
  Result<Coupon> commit(const Result<Coupon>& updated);

  /// Tells the gate of a coupon as it was just committed, so late that nobody refuses by what was before.
  /// Returns what the gate has been told: a later row, where the store had fallen back behind the gate.
  Result<Coupon> propagate(Coupon coupon);

  /// Puts a lower stock to the gate; false when an earlier proposal for the same revision keeps it out.
  Result<bool> propose_stock(Coupon coupon, std::int64_t stock);

  Store& store_;
  Store& readers_;
  GateControl& gate_;
  Catalog& catalog_;
  Propagator& propagator_;
  const CouponAdminOptions options_;
  UnsavedCoupons unsaved_;
};

}  // namespace seonchak
