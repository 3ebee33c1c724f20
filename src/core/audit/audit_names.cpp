#include "core/audit/audit.hpp"

namespace seonchak {

namespace {

struct Name {
  std::string_view name;
  std::string_view meaning;
};

Name name_of(BreachKind kind) {
  switch (kind) {
    case BreachKind::gate_missing:
      return {"gate_missing", "the gate has no state of an open coupon"};
    case BreachKind::gate_stock_above_store:
      return {"gate_stock_above_store", "the gate's stock is above the store's"};
    case BreachKind::holders_above_stock:
      return {"holders_above_stock", "over-issued: more holders in the gate than stock"};
    case BreachKind::rows_above_stock:
      return {"rows_above_stock", "over-issued: more rows in the store than stock"};
    case BreachKind::published_above_sequence:
      return {"published_above_sequence", "the watermark `published` is beyond what was issued"};
    case BreachKind::persisted_above_sequence:
      return {"persisted_above_sequence", "the watermark `persisted` is beyond what was issued"};
    case BreachKind::holder_above_sequence:
      return {"holder_above_sequence", "a holder in the gate has a sequence that was never issued"};
    case BreachKind::sequence_twice_in_gate:
      return {"sequence_twice_in_gate", "two holders in the gate have one sequence"};
    case BreachKind::sequence_gap:
      return {"sequence_gap", "the gate issued a sequence that nobody holds"};
    case BreachKind::sequence_twice_in_store:
      return {"sequence_twice_in_store", "two rows have one sequence"};
    case BreachKind::user_twice_in_store:
      return {"user_twice_in_store", "one user has two rows"};
    case BreachKind::row_not_held:
      return {"row_not_held", "the store has a row that the gate did not issue"};
    case BreachKind::row_sequence_differs:
      return {"row_sequence_differs", "store and gate give one user different sequences"};
    case BreachKind::lost:
      return {"lost", "issued by the gate, and neither in the store nor on its way there"};
    case BreachKind::trimmed_early:
      return {"trimmed_early", "not in the store, and in the log alone: the outbox let go of it too early"};
    case BreachKind::marked_not_saved:
      return {"marked_not_saved", "marked as persisted, and not in the store"};
    case BreachKind::outbox_not_held:
      return {"outbox_not_held", "the outbox has what the gate did not issue"};
    case BreachKind::event_not_held:
      return {"event_not_held", "the log has what the gate did not issue"};
    case BreachKind::event_sequence_differs:
      return {"event_sequence_differs", "log and gate give one user different sequences"};
    case BreachKind::event_out_of_order:
      return {"event_out_of_order", "the log has a new sequence behind a higher one"};
    case BreachKind::event_user_twice:
      return {"event_user_twice", "the log gives one user two sequences in one epoch"};
    case BreachKind::event_sequence_twice:
      return {"event_sequence_twice", "the log gives one sequence to two users in one epoch"};
  }
  return {"unknown", ""};
}

}  // namespace

std::string_view to_string(BreachKind kind) {
  return name_of(kind).name;
}

std::string_view explain(BreachKind kind) {
  return name_of(kind).meaning;
}

}  // namespace seonchak
