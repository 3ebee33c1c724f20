#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/coupon.hpp"
#include "core/model/decision.hpp"
#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// How gate, log and store can contradict each other, or a promise.
enum class BreachKind {
  gate_missing,              ///< the gate has no state of a coupon that is open
  gate_stock_above_store,    ///< the gate would issue more than the store allows
  holders_above_stock,       ///< more users hold the coupon in the gate than there are coupons
  rows_above_stock,          ///< more rows than coupons
  published_above_sequence,  ///< a watermark beyond what was ever issued
  persisted_above_sequence,
  holder_above_sequence,    ///< a sequence the gate has not come to yet, or none at all
  sequence_twice_in_gate,   ///< two holders with one sequence
  sequence_gap,             ///< nobody holds a sequence of the first epoch, which has no gaps
  sequence_twice_in_store,  ///< two rows with one sequence
  user_twice_in_store,      ///< two rows of one user
  row_not_held,             ///< a row that the gate does not know
  row_sequence_differs,     ///< a row with another sequence than the gate gave
  lost,                     ///< a holder that no row, no outbox and no unread event will ever make a row
  trimmed_early,            ///< a holder that left the outbox before its row was there; the log still has it
  marked_not_saved,         ///< at or below `persisted`, and not in the store
  outbox_not_held,          ///< the outbox will publish what the gate did not issue
  event_not_held,           ///< the log has what the gate did not issue
  event_sequence_differs,   ///< the log has another sequence than the gate gave
  event_out_of_order,       ///< a new sequence behind a higher one
  event_user_twice,         ///< one user, two sequences in one epoch
  event_sequence_twice,     ///< one sequence, two users in one epoch
};

/// Stable lower-case name: "row_not_held".
std::string_view to_string(BreachKind kind);

/// What it means, in a few words for people.
std::string_view explain(BreachKind kind);

struct Breach {
  BreachKind kind{};
  std::string coupon_id;
  Sequence sequence = 0;  ///< 0: no particular one
  std::string user_id;    ///< "": nobody in particular
  std::string detail;     ///< who says what

  /// The same disagreement, whatever was read beside it.
  bool same_as(const Breach& other) const {
    return kind == other.kind && sequence == other.sequence && user_id == other.user_id;
  }
};

/// The most breaches that are kept of one coupon; the others are counted.
inline constexpr std::size_t breaches_kept_max = 1'000;

/// One coupon as gate, log and store have it, read in this order while it may be issued: log, `before`,
/// holders, outbox, rows, `after`, coupon. What is issued during the reading lies above before->sequence and
/// counts as moving, so that nothing that is merely on its way looks like a breach.
struct CouponFacts {
  Coupon coupon;
  bool gate_read = true;            ///< false: a gate in a process, gone or out of reach
  bool log_read = true;             ///< false: a log in a process
  std::optional<GateState> before;  ///< none: the gate has no state of it
  std::optional<GateState> after;   ///< of the same epoch as `before`, and both of the coupon's
  std::vector<Holder> holders;      ///< in the gate, in any order
  std::vector<OutboxEntry> outbox;
  std::vector<Holder> rows;                ///< in any order
  std::vector<const IssuedEvent*> events;  ///< in the log's order, as far back as it was read
  std::vector<const IssuedEvent*> unread;  ///< those beyond the store's position
};

struct CouponAudit {
  std::string coupon_id;
  std::int64_t stock = 0;
  Epoch epoch = 0;
  std::int64_t held = 0;     ///< holders in the gate
  std::int64_t saved = 0;    ///< rows
  std::int64_t waiting = 0;  ///< holders without a row that the outbox has
  std::int64_t logged = 0;   ///< events read
  std::int64_t moving = 0;   ///< issued while it was read: only partly compared
  std::int64_t breach_count = 0;
  std::vector<Breach> breaches;  ///< the first breaches_kept_max
  std::vector<std::string> notes;
};

/// Compares. Pure; O(n log n) in the sizes of `facts`.
CouponAudit audit(const CouponFacts& facts);

}  // namespace seonchak
