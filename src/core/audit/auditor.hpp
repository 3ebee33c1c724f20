#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/audit/audit.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/read_tail.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// What an audit reads; it writes nothing anywhere.
struct AuditPorts {
  Store& store;
  GateControl* gate = nullptr;  ///< these three together, or none: the gate ended with its process
  Outbox* outbox = nullptr;
  GateRecovery* holders = nullptr;
  EventLogTail* log = nullptr;  ///< none: the log ended with its process
};

struct AuditOptions {
  std::string coupon_id{};  ///< "": all

  /// Between two readings of a coupon that moved too much, or seems to be in breach.
  std::chrono::milliseconds pause{500};

  /// A breach counts when each of so many readings has it.
  int readings = 3;

  /// How often a coupon is read that is just being recovered, or whose gate is not the trusted one.
  int unsettled_readings_max = 16;

  /// Of the coupons that are read: about 100 bytes each. When the log has more, only what lies beyond the
  /// store's position is looked at; when that is more, the audit fails.
  std::size_t log_events_max = 5'000'000;

  TailReadOptions tail{};
};

struct AuditReport {
  Time checked_at{};
  std::vector<CouponAudit> coupons;     ///< in order of id
  std::vector<std::string> unfinished;  ///< coupons that could not be compared, and why
  std::vector<std::string> notes;

  std::int64_t breach_count() const;
};

/// Reads everything and compares it, coupon by coupon, while the servers run or not. Blocks; a clean one
/// needs one reading. Memory: the log's events, and about 250 bytes for each holder of the largest coupon.
/// Errors: unavailable; not_found when there is no such coupon; overloaded, see log_events_max.
Result<AuditReport> run_audit(const AuditPorts& ports, const AuditOptions& options);

}  // namespace seonchak
