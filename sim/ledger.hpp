#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ticker.hpp"
#include "core/coupon.hpp"
#include "core/ports/gate.hpp"
#include "sim/memory_store.hpp"

namespace seonchak::sim {

/// One life of an API process, as far as its witness matters.
struct Life {
  std::string name;
  bool alive = true;
  Ticker::TimePoint hindered_at{};  ///< when a call of it last failed, or it was last stopped
};

/// What users were promised, and whether it was kept.
class Ledger {
 public:
  struct Promise {
    std::string coupon_id;
    std::string user_id;
    std::int64_t sequence = 0;
    std::int64_t epoch = 0;    ///< in which the gate said so
    bool reached_log = false;  ///< it was said to be in the log or in the store
    std::shared_ptr<const Life> told_by;
    bool excused = false;  ///< within the documented limit
  };

  explicit Ledger(MemoryStore& store) : store_(store) {}

  void asked(const std::string& coupon_id, const std::string& user_id) {
    asked_.insert({coupon_id, user_id});
  }
  void promised(Promise promise);

  /// A gate has lost something.
  void gate_lost() { gate_lost_ = true; }

  /// A coupon's row as committed.
  void committed(const Coupon& row);

  const std::vector<Promise>& promises() const { return promises_; }
  bool was_asked(const std::string& coupon_id, const std::string& user_id) const {
    return asked_.contains({coupon_id, user_id});
  }
  std::int64_t settled(const std::string& coupon_id) const;

 private:
  struct Known {
    std::int64_t epoch = 0;
    std::int64_t settled = 0;
    Ticker::TimePoint fenced_at{};
  };
  bool has_row(const Promise& promise);
  bool excusable(const Promise& promise, const Known& known) const;

  MemoryStore& store_;
  std::set<std::pair<std::string, std::string>> asked_;
  std::vector<Promise> promises_;
  std::map<std::string, Known> coupons_;
  bool gate_lost_ = false;
};

}  // namespace seonchak::sim
