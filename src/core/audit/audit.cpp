#include "core/audit/audit.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/audit/audit_log.hpp"

namespace seonchak {

namespace {

/// No recovery came before this one, so that no sequence was skipped.
constexpr Epoch first_epoch = 1;

class Comparison {
 public:
  explicit Comparison(const CouponFacts& facts) : facts_(facts), compares_gate_(has_gate()) {
    result_.coupon_id = facts.coupon.id;
    result_.stock = facts.coupon.stock;
    result_.epoch = facts.coupon.epoch;
    result_.held = static_cast<std::int64_t>(facts.holders.size());
    result_.saved = static_cast<std::int64_t>(facts.rows.size());
    result_.logged = static_cast<std::int64_t>(facts.events.size());
    for (const Holder& holder : facts.holders) known_.push_back({&holder});
    std::ranges::sort(known_, {}, user_of);
  }

  CouponAudit run() && {
    missing_gate();
    stock();
    repeated_rows();
    log_order();
    if (compares_gate_) {
      watermarks();
      gate_sequences();
      rows();
      outbox();
      events();
      holders();
      result_.moving = facts_.after->sequence - facts_.before->sequence;
    } else if (facts_.gate_read && facts_.coupon.phase() == Phase::unopened) {
      for (const Holder& row : facts_.rows) add(BreachKind::row_not_held, row, "it was never opened");
    }
    std::ranges::stable_sort(result_.breaches, {},
                             [](const Breach& breach) { return std::pair(breach.kind, breach.sequence); });
    return std::move(result_);
  }

 private:
  struct Known {
    const Holder* holder = nullptr;
    bool in_store = false;
    bool in_outbox = false;
    bool in_log = false;  // unread
  };
  static std::string_view user_of(const Known& known) { return known.holder->user_id; }

  bool has_gate() const {
    return facts_.gate_read && facts_.before && facts_.after && facts_.coupon.phase() != Phase::unopened;
  }

  void add(Breach breach) {
    ++result_.breach_count;
    if (result_.breaches.size() < breaches_kept_max) result_.breaches.push_back(std::move(breach));
  }
  void add(BreachKind kind, const Holder& of, std::string detail) {
    add({kind, facts_.coupon.id, of.sequence, of.user_id, std::move(detail)});
  }
  void add(BreachKind kind, std::string detail) { add({kind, facts_.coupon.id, 0, "", std::move(detail)}); }
  template <class Number>
  static std::string against(std::string_view one, Number number, std::string_view other, Number second) {
    using std::to_string;
    return std::string(one) + ' ' + to_string(number) + ", " + std::string(other) + ' ' + to_string(second);
  }

  Known* find(std::string_view user) {
    const auto place = std::ranges::lower_bound(known_, user, {}, user_of);
    return place != known_.end() && user_of(*place) == user ? &*place : nullptr;
  }

  /// Issued after the gate's holders were read; beyond what the gate has issued by now it is an invention.
  bool moves(Sequence sequence) const {
    return sequence > facts_.before->sequence && sequence <= facts_.after->sequence;
  }

  void missing_gate() {
    if (!facts_.gate_read || compares_gate_ || facts_.coupon.phase() == Phase::unopened) return;
    if (facts_.coupon.closed) {
      result_.notes.emplace_back("closed, and its keys in the gate are gone: the store alone was checked");
    } else {
      add(BreachKind::gate_missing, "the store says epoch " + to_string(facts_.coupon.epoch));
    }
  }

  void stock() {
    const std::int64_t stock = facts_.coupon.stock;
    if (result_.saved > stock)
      add(BreachKind::rows_above_stock, against("rows", result_.saved, "stock", stock));
    if (!compares_gate_) return;
    if (result_.held > stock)
      add(BreachKind::holders_above_stock, against("holders", result_.held, "stock", stock));
    if (facts_.after->stock > stock)
      add(BreachKind::gate_stock_above_store, against("gate", facts_.after->stock, "store", stock));
  }

  void watermarks() {
    const GateState& state = *facts_.after;
    if (state.published > state.sequence) {
      add(BreachKind::published_above_sequence,
          against("published", state.published, "sequence", state.sequence));
    }
    if (state.persisted > state.sequence) {
      add(BreachKind::persisted_above_sequence,
          against("persisted", state.persisted, "sequence", state.sequence));
    }
    // The consumer may be faster than the relay's watermark, and a relay that was killed never sets it.
    if (state.persisted > state.published) {
      result_.notes.push_back(against("persisted", state.persisted, "published", state.published) +
                              ": the relay has not marked yet what is in the store already");
    }
  }

  void gate_sequences() {
    std::vector<const Holder*> sorted;
    for (const Known& known : known_) sorted.push_back(known.holder);
    std::ranges::stable_sort(sorted, {}, &Holder::sequence);
    const bool gapless = facts_.coupon.epoch == first_epoch;
    Sequence expected = 1;
    const Holder* last = nullptr;
    for (const Holder* holder : sorted) {
      if (holder->sequence < 1 || holder->sequence > facts_.after->sequence) {
        add(BreachKind::holder_above_sequence, *holder,
            "the gate has issued up to " + to_string(facts_.after->sequence));
        continue;
      }
      if (last != nullptr && last->sequence == holder->sequence)
        add(BreachKind::sequence_twice_in_gate, *holder, "also user " + last->user_id);
      if (gapless) gaps(expected, std::min(holder->sequence, facts_.before->sequence + 1));
      expected = std::max(expected, holder->sequence + 1);
      last = holder;
    }
    if (gapless) gaps(expected, facts_.before->sequence + 1);
  }

  void gaps(Sequence first, Sequence end) {
    const std::int64_t named =
        std::min(end - first, static_cast<std::int64_t>(breaches_kept_max - result_.breaches.size()));
    for (Sequence sequence = first; sequence < first + named; ++sequence)
      add({BreachKind::sequence_gap, facts_.coupon.id, sequence, "", "no holder in the gate"});
    if (end - first > named) result_.breach_count += end - first - std::max<std::int64_t>(0, named);
  }

  void repeated_rows() {
    std::vector<const Holder*> sorted;
    for (const Holder& row : facts_.rows) sorted.push_back(&row);
    const auto clashes = [&](auto key, BreachKind kind) {
      std::ranges::stable_sort(sorted, {}, key);
      for (std::size_t i = 1; i < sorted.size(); ++i) {
        const Holder& before = *sorted[i - 1];
        if (std::invoke(key, before) != std::invoke(key, *sorted[i])) continue;
        add(kind, *sorted[i], "also user " + before.user_id + " with sequence " + to_string(before.sequence));
      }
    };
    clashes(&Holder::sequence, BreachKind::sequence_twice_in_store);
    clashes(&Holder::user_id, BreachKind::user_twice_in_store);
  }

  void rows() {
    for (const Holder& row : facts_.rows) {
      Known* const known = find(row.user_id);
      if (known == nullptr) {
        if (!moves(row.sequence)) add(BreachKind::row_not_held, row, "no holder in the gate");
        continue;
      }
      known->in_store = true;
      if (known->holder->sequence == row.sequence) continue;
      add(BreachKind::row_sequence_differs, row,
          against("store", row.sequence, "gate", known->holder->sequence));
    }
  }

  void outbox() {
    for (const OutboxEntry& entry : facts_.outbox) {
      for (std::size_t i = 0; i < entry.users.size(); ++i) {
        const Sequence sequence = entry.first_sequence + static_cast<std::int64_t>(i);
        Known* const known = find(entry.users[i]);
        if (known != nullptr && known->holder->sequence == sequence) {
          known->in_outbox = true;
        } else if (known != nullptr || !moves(sequence)) {
          add({BreachKind::outbox_not_held, facts_.coupon.id, sequence, entry.users[i],
               known == nullptr ? "no holder in the gate"
                                : against("outbox", sequence, "gate", known->holder->sequence)});
        }
      }
    }
  }

  void events() {
    for (const IssuedEvent* event : facts_.unread) {
      Known* const known = find(event->user_id);
      if (known != nullptr && known->holder->sequence == event->sequence) known->in_log = true;
    }
    std::unordered_set<std::string_view> told;
    std::int64_t earlier = 0;
    for (const IssuedEvent* event : facts_.events) {
      // Of an earlier life of the gate: the recovery has decided what of it counts.
      if (event->epoch != 0 && event->epoch < facts_.coupon.epoch) {
        ++earlier;
        continue;
      }
      const Known* const known = find(event->user_id);
      if (known != nullptr && known->holder->sequence == event->sequence) continue;
      if (!told.insert(event->user_id).second) continue;
      add({known == nullptr ? BreachKind::event_not_held : BreachKind::event_sequence_differs,
           facts_.coupon.id, event->sequence, event->user_id,
           known == nullptr ? "epoch " + to_string(event->epoch) + ", no holder in the gate"
                            : against("log", event->sequence, "gate", known->holder->sequence)});
    }
    if (earlier > 0) {
      result_.notes.push_back(std::to_string(earlier) +
                              " events are of an epoch before a recovery: compared among themselves only");
    }
  }

  // The log was read before the holders, these before the outbox, that before the rows: what has left one
  // place is in a later one.
  void holders() {
    for (const Known& known : known_) {
      if (known.in_store) continue;
      const Holder& holder = *known.holder;
      if (known.in_outbox) ++result_.waiting;
      if (!known.in_outbox && !known.in_log) {
        add(BreachKind::lost, holder, "in the gate alone");
      } else if (!known.in_outbox) {
        add(BreachKind::trimmed_early, holder, "in the gate and unread in the log");
      } else if (holder.sequence <= facts_.before->persisted) {
        add(BreachKind::marked_not_saved, holder, "persisted says " + to_string(facts_.before->persisted));
      }
    }
  }

  void log_order() {
    std::int64_t resolved = 0;
    audit_order(facts_.events, [&](Epoch epoch, Breach breach) {
      if (epoch == 0 || epoch >= facts_.coupon.epoch) return add(std::move(breach));
      ++resolved;
    });
    if (resolved > 0) {
      result_.notes.push_back(std::to_string(resolved) +
                              " clashes in the log are of an epoch that a recovery has ended");
    }
  }

  const CouponFacts& facts_;
  const bool compares_gate_;
  std::vector<Known> known_;  // by user
  CouponAudit result_;
};

}  // namespace

CouponAudit audit(const CouponFacts& facts) {
  return Comparison(facts).run();
}

}  // namespace seonchak
