#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "base/text_hash.hpp"
#include "core/catalog/catalog.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

struct UnsavedCouponsOptions {
  std::size_t listed_max = 256;     ///< the newest changes come first
  std::size_t looked_at_max = 256;  ///< of the gate's states in one look
  std::chrono::milliseconds look_period{250};
};

/// Which coupons may have been issued to users of whom the store does not know yet: all but those of which
/// nobody gets one any more, with everything saved. Which these are, the gate is asked for a few at a time,
/// by whoever wants the list; what it says holds until the coupon changes. Safe from any thread.
class UnsavedCoupons {
 public:
  UnsavedCoupons(GateControl& gate, Catalog& catalog, UnsavedCouponsOptions options = {});

  /// At most listed_max, each once: `first`, then the latest changed.
  std::vector<std::string> list(std::span<const std::string> first);

 private:
  using Coupons = std::vector<std::shared_ptr<const Coupon>>;
  void bring_up_to_date() REQUIRES(mutex_);
  Coupons to_look_at();
  void look();

  GateControl& gate_;
  Catalog& catalog_;
  const UnsavedCouponsOptions options_;

  Mutex mutex_;
  TextMap<Revision> saved_ GUARDED_BY(mutex_);    // by coupon, as of this revision
  Coupons unsaved_ GUARDED_BY(mutex_);            // the latest changed first
  std::uint64_t version_ GUARDED_BY(mutex_) = 0;  // of the catalog that unsaved_ is of
  std::size_t turn_ GUARDED_BY(mutex_) = 0;
  std::chrono::steady_clock::time_point next_look_ GUARDED_BY(mutex_){};
};

}  // namespace seonchak
