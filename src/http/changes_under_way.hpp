#pragma once
#include <set>
#include <string>

#include "base/mutex.hpp"

namespace seonchak {

/// Coupons that operators are changing, those that wait for a thread included: one change of a coupon at a
/// time, so that a row which somebody holds takes one thread, however often it is asked for. Safe from any
/// thread.
class ChangesUnderWay {
 public:
  /// False when there is one of this coupon.
  bool begin(const std::string& coupon_id) {
    const MutexLock lock(mutex_);
    return coupons_.insert(coupon_id).second;
  }

  void end(const std::string& coupon_id) {
    const MutexLock lock(mutex_);
    coupons_.erase(coupon_id);
  }

 private:
  Mutex mutex_;
  std::set<std::string> coupons_ GUARDED_BY(mutex_);
};

}  // namespace seonchak
