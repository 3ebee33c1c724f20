#include "core/admin/coupon_admin.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/log.hpp"
#include "base/ticker.hpp"
#include "core/catalog/open_coupon.hpp"
#include "core/catalog/renew_revision.hpp"
#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

bool window_is_empty(const std::optional<Time>& opens_at, const std::optional<Time>& closes_at) {
  return opens_at && closes_at && *closes_at <= *opens_at;
}

const std::string stock_message = "must be a whole number from 1 to " + std::to_string(stock_max);
const std::string window_message = "must be later than opensAt";

bool printable(std::string_view name) {
  return std::ranges::none_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

constexpr int attempts_to_overtake_max = 4;

/// Rows that nobody serves are read past in pages of so many.
constexpr std::size_t list_page_min = 200;

/// What is not served is unknown to users, and so to operators: its times may be none that can be told.
Result<Coupon> served(Result<Coupon> row) {
  if (!row) return row;
  const auto why = why_not_served(*row);
  if (!why) return row;
  return Error{Errc::not_found, "coupon " + row->id + " is not served: " + std::string(*why)};
}

/// Clients take these out of a path before they send it (RFC 3986, section 5.2.4).
bool is_dot_segment(std::string_view id) {
  return id == "." || id == "..";
}

}  // namespace

std::string_view to_string(CouponStatus status) {
  switch (status) {
    case CouponStatus::closed:
      return "closed";
    case CouponStatus::scheduled:
      return "scheduled";
    case CouponStatus::sold_out:
      return "sold_out";
    case CouponStatus::open:
      return "open";
  }
  return "unknown";
}

CouponStatus status_of(const CouponView& view) {
  GateState state;
  if (view.gate) {
    state = *view.gate;
  } else {
    state.stock = view.coupon.stock;
    state.opens_at = view.coupon.opens_at;
    state.closes_at = view.coupon.closes_at;
    state.closed = view.coupon.closed;
    state.now = now();
  }
  switch (decide(state, false)) {
    case Decision::closed:
      return CouponStatus::closed;
    case Decision::not_open:
      return CouponStatus::scheduled;
    case Decision::sold_out:
      return CouponStatus::sold_out;
    default:
      return CouponStatus::open;
  }
}

std::vector<FieldError> validate(const NewCoupon& coupon, const CouponAdminOptions& options) {
  std::vector<FieldError> errors;
  if (!coupon.id.empty() && !valid_coupon_id(coupon.id)) {
    errors.push_back({"id", "must be 1 to 64 of A-Z a-z 0-9 . _ -"});
  }
  if (is_dot_segment(coupon.id)) errors.push_back({"id", "must not be \".\" or \"..\": no URL can name it"});
  if (coupon.name.empty() || coupon.name.size() > name_bytes_max || !printable(coupon.name)) {
    errors.push_back(
        {"name", "must be 1 to " + std::to_string(name_bytes_max) + " bytes without control characters"});
  }
  if (coupon.stock < 1 || coupon.stock > stock_max) errors.push_back({"stock", stock_message});
  if (window_is_empty(coupon.opens_at, coupon.closes_at)) errors.push_back({"closesAt", window_message});
  if (coupon.ack && *coupon.ack != Ack::store && !options.gate_is_durable) {
    errors.push_back(
        {"ack", "must be \"store\" with the in-memory gate: anything less could lose an issued coupon"});
  }
  return errors;
}

CouponAdmin::CouponAdmin(Store& store, Store& readers, GateControl& gate, Catalog& catalog,
                         Propagator& propagator, CouponAdminOptions options)
    : store_(store),
      readers_(readers),
      gate_(gate),
      catalog_(catalog),
      propagator_(propagator),
      options_(std::move(options)),
      unsaved_(gate, catalog, options_.unsaved) {}

Result<Coupon> CouponAdmin::create(const NewCoupon& coupon) {
  Coupon row;
  row.id = coupon.id;
  row.name = coupon.name;
  row.stock = coupon.stock;
  row.opens_at = coupon.opens_at;
  row.closes_at = coupon.closes_at;
  row.ack = coupon.ack.value_or(options_.default_ack);
  row.created_at = now();
  // The first attempt at opening draws its epoch in the commit that creates the row.
  const auto identity = gate_.identity(row.id);
  if (identity) {
    row.epoch = 1;
    row.gate = identity->name();
  }
  auto created = store_.create_coupon(std::move(row));
  if (!created) return created.error();
  // Should this fail, the propagator of any process opens it later: the coupon exists from here on.
  const auto opened =
      identity ? open_drawn_coupon(store_, gate_, *created) : open_coupon(store_, gate_, *created);
  if (!opened) {
    log::warn("coupon created but not open yet", {{"coupon", created->id}, {"why", opened.error().message}});
  }
  (void)catalog_.refresh();
  if (opened) (void)propagate(*created);
  return created;
}

Result<Coupon> CouponAdmin::change(const std::string& id, const CouponChange& change) {
  if (change.stock && (*change.stock < 1 || *change.stock > stock_max)) {
    return Error{Errc::invalid, "stock " + stock_message};
  }
  // A coupon is opened before its stock is lowered, or a late opening could put the old stock into the gate.
  auto present = served(store_.coupon(id));
  if (!present) return present;
  if (present->phase() == Phase::unopened) {
    if (auto opened = open_coupon(store_, gate_, *present); !opened) return opened.error();
  }
  bool superseded = false;
  const auto edit = [&](Coupon& row) -> Result<void> {
    const Coupon before = row;
    if (change.stock) row.stock = *change.stock;
    if (change.opens_at) row.opens_at = *change.opens_at;
    if (change.closes_at) row.closes_at = *change.closes_at;
    if (window_is_empty(row.opens_at, row.closes_at))
      return Error{Errc::invalid, "closesAt " + window_message};
    if (row.stock >= before.stock) return {};
    auto proposed = propose_stock(before, row.stock);
    if (!proposed) return proposed.error();
    superseded = !*proposed;
    if (superseded) return Error{Errc::unavailable, "another change of the stock is under way"};
    return {};
  };
  auto updated = store_.update_coupon(id, edit);
  if (superseded) {
    // A lower stock that the store never committed still stands in the gate: a new revision takes it back.
    auto renewed = commit(store_.update_coupon(id, [](Coupon&) -> Result<void> { return {}; }));
    if (!renewed) return renewed;
    updated = store_.update_coupon(id, edit);
  }
  return commit(updated);
}

// False when another change has not reached the gate yet, or has just done so.
Result<bool> CouponAdmin::propose_stock(Coupon coupon, std::int64_t stock) {
  coupon.stock = stock;
  const auto present = gate_.state(coupon.id);
  if (!present) return present.error();
  if (present->stock < stock) return false;
  const auto configured = gate_.configure(proposed(coupon));
  if (!configured && configured.error().code == Errc::gate_later) return false;
  if (!configured) return configured.error();
  auto state = gate_.state(coupon.id);
  if (!state) return state.error();
  return state->stock <= stock;
}

Result<Coupon> CouponAdmin::close(const std::string& id) {
  return commit(store_.update_coupon(id, [](Coupon& row) -> Result<void> {
    if (const auto known = served(row); !known) return known.error();
    row.closed = true;
    return {};
  }));
}

Result<Coupon> CouponAdmin::commit(const Result<Coupon>& updated) {
  if (!updated) return updated;
  Coupon coupon = *updated;
  if (coupon.phase() == Phase::unopened) {
    if (auto opened = open_coupon(store_, gate_, coupon); !opened) return opened.error();
  }
  (void)catalog_.refresh();
  return propagate(std::move(coupon));
}

// The propagator has heard of the change, too, and goes on with it should this fail.
Result<Coupon> CouponAdmin::propagate(Coupon coupon) {
  for (int i = 0; i < attempts_to_overtake_max; ++i) {
    const auto state = gate_.state(coupon.id);
    if (!state) return state.error();
    Result<void> applied;
    if (is_ahead(*state, coupon)) {
      applied = Error{Errc::gate_later, "the gate has a later revision"};
    } else if (!has_revision(*state, coupon)) {
      if (loosens(*state, coupon)) ticker().sleep_for(options_.loosening_delay);
      applied = gate_.configure(committed(coupon));
    }
    if (applied) {
      propagator_.propagated(coupon);
      return coupon;
    }
    const Errc why = applied.error().code;
    if (why != Errc::gate_later && why != Errc::stock_below_issued) return applied.error();
    // Somebody else has changed it since, or the store has fallen back.
    auto renewed = renew_revision(store_, gate_, coupon.id);
    if (!renewed) return renewed;
    coupon = std::move(*renewed);
    (void)catalog_.refresh();
  }
  return Error{Errc::unavailable, "the gate goes on having a later revision of coupon " + coupon.id};
}

Result<CouponView> CouponAdmin::show(const std::string& id) {
  auto coupon = catalog_.snapshot()->find(id);
  if (!coupon) {
    auto row = served(readers_.coupon(id));
    if (!row) return row.error();
    coupon = std::make_shared<const Coupon>(std::move(*row));
  }
  CouponView view{*coupon, std::nullopt};
  if (auto state = gate_.state(id)) view.gate = *state;
  return view;
}

Result<std::vector<Coupon>> CouponAdmin::list(const std::string& after_id, std::size_t limit) {
  std::vector<Coupon> coupons;
  for (std::string after = after_id; coupons.size() < limit;) {
    const std::size_t rows_max = std::max(list_page_min, limit - coupons.size());
    auto rows = store_.list_coupons(after, rows_max);
    if (!rows) return rows;
    for (Coupon& row : *rows)
      if (!why_not_served(row) && coupons.size() < limit) coupons.push_back(std::move(row));
    if (rows->size() < rows_max) break;
    after = rows->back().id;
  }
  return coupons;
}

Result<std::vector<HeldCoupon>> CouponAdmin::coupons_of(const std::string& user_id) {
  // The gate before the store: a coupon saved in between shows up in both, never in neither.
  const auto here = options_.unsaved_here ? options_.unsaved_here() : std::vector<std::string>();
  auto holdings = gate_.holdings(user_id, unsaved_.list(here));
  auto rows = readers_.coupons_of_user(user_id, options_.user_coupons_max);
  if (!rows) return rows.error();

  std::vector<HeldCoupon> held;
  std::unordered_set<std::string> persisted;
  for (UserCoupon& row : *rows) {
    persisted.insert(row.coupon_id);
    held.push_back({std::move(row.coupon_id), row.sequence, row.issued_at, true});
  }
  for (auto& found : holdings) {
    // Of a coupon that cannot be used the rows are all that is known.
    if (!found && found.error().code != Errc::gate_unusable) return found.error();
    if (!found || !*found || persisted.contains((*found)->coupon_id)) continue;
    Holding& holding = **found;
    held.push_back({std::move(holding.coupon_id), holding.sequence, holding.issued_at, false});
  }
  std::ranges::sort(held, [](const HeldCoupon& a, const HeldCoupon& b) { return a.issued_at > b.issued_at; });
  if (held.size() > options_.user_coupons_max) held.resize(options_.user_coupons_max);
  return held;
}

}  // namespace seonchak
