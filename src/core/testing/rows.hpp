#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/ticker.hpp"
#include "core/testing/ports.hpp"

namespace seonchak {

/// A store whose rows of coupons are the test's, as they are somebody's who has a client of the database. For
/// one thread.
class RowStore final : public FaultyStore {
 public:
  using FaultyStore::FaultyStore;

  Result<Coupon> coupon(const std::string& id) override {
    const auto found = rows.find(id);
    if (found == rows.end()) return Error{Errc::not_found, "there is no coupon " + id};
    return found->second;
  }
  Result<Coupon> update_coupon(const std::string& id,
                               const std::function<Result<void>(Coupon&)>& change) override {
    auto row = coupon(id);
    if (!row) return row;
    if (auto changed = change(*row); !changed) return changed.error();
    row->revision = std::max(row->revision, totals().revision_max + 1);
    rows[id] = *row;
    return row;
  }
  Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override {
    ++pages;
    if (failing) return Error{Errc::unavailable, "as planned"};
    std::vector<Coupon> found;
    for (const auto& [id, row] : rows) {
      if (row.revision > after) found.push_back(row);
    }
    std::ranges::sort(found, {}, &Coupon::revision);
    if (found.size() > limit) found.resize(limit);
    return found;
  }
  Result<CouponTotals> coupon_totals() override {
    if (before_totals) before_totals();
    return totals();
  }

  Coupon& put(const std::string& id, Revision revision) {
    Coupon& row = rows[id];
    row = Coupon();
    row.id = row.name = id;
    row.stock = 5;
    row.revision = revision;
    return row;
  }

  std::map<std::string, Coupon> rows;
  bool failing = false;
  std::size_t pages = 0;  ///< asked for
  std::function<void()> before_totals;

 private:
  CouponTotals totals() const {
    CouponTotals totals;
    for (const auto& [id, row] : rows) {
      ++totals.count;
      totals.revision_max = std::max(totals.revision_max, row.revision);
      totals.checksum += revision_checksum(row.revision);
    }
    return totals;
  }
};

}  // namespace seonchak
