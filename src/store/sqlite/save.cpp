#include "store/sqlite/save.hpp"

#include <span>

#include "store/sqlite/statements.hpp"

namespace seonchak {

namespace sql = sqlite_sql;

namespace {

Result<bool> epochs_match(SqliteConnection& writer, const std::vector<CouponEpoch>& epochs) {
  for (const CouponEpoch& expected : epochs) {
    const auto query = writer.prepared(sql::coupon_epoch);
    if (!query) return query.error();
    (*query)->text(expected.coupon_id);
    const auto found = (*query)->rows([](SqliteStatement& row) { return row.epoch_at(0); });
    if (!found) return found.error();
    if (found->empty() || found->front() != expected.epoch) return false;
  }
  return true;
}

/// False when another member has moved the position.
Result<bool> move_position(SqliteConnection& writer, const SaveBatch& batch, const PositionChange& change) {
  const auto update = writer.prepared(sql::move_position);
  if (!update) return update.error();
  (*update)->integer(change.next).text(batch.group).text(batch.topic).integer(change.partition);
  if (const auto ran = (*update)->integer(change.expected).text(change.fingerprint).run(); !ran)
    return ran.error();
  if (writer.changes() > 0) return true;
  if (change.expected != 0) return false;

  const auto insert = writer.prepared(sql::first_position);
  if (!insert) return insert.error();
  (*insert)->integer(change.next).text(batch.group).text(batch.topic).integer(change.partition);
  if (const auto ran = (*insert)->text(change.fingerprint).run(); !ran) return ran.error();
  return writer.changes() > 0;
}

Result<void> insert(SqliteConnection& writer, const char* sql, std::span<const IssuedEvent> events,
                    Time saved_at) {
  const auto statement = writer.prepared(sql);
  if (!statement) return statement.error();
  for (const IssuedEvent& event : events) {
    (*statement)->text(event.coupon_id).integer(event.sequence).text(event.user_id).time(event.issued_at);
    (*statement)->integer(event.epoch).time(saved_at);
  }
  return (*statement)->run();
}

Result<void> insert_singly(SqliteConnection& writer, std::span<const IssuedEvent> events, Time saved_at) {
  for (const IssuedEvent& event : events) {
    const auto inserted = insert(writer, sql::save_event, {&event, 1}, saved_at);
    if (inserted) continue;
    return Error{inserted.error().code, inserted.error().message + ": coupon " + event.coupon_id +
                                            " sequence " + to_string(event.sequence) + " user " +
                                            event.user_id};
  }
  return {};
}

Result<void> insert_events(SqliteConnection& writer, std::span<const IssuedEvent> events) {
  const Time saved_at = now();
  while (events.size() >= sql::events_at_once) {
    const auto together = events.first(sql::events_at_once);
    const auto inserted = insert(writer, sql::save_events, together, saved_at);
    // One by one, to learn which it is. Only a refused row leaves the transaction as it was.
    if (!inserted && inserted.error().code != Errc::rejected) return inserted.error();
    if (!inserted) {
      if (const auto singly = insert_singly(writer, together, saved_at); !singly) return singly;
    }
    events = events.subspan(sql::events_at_once);
  }
  return insert_singly(writer, events, saved_at);
}

Result<void> insert_late_claims(SqliteConnection& writer, std::span<const LateClaim> claims) {
  const auto insert = writer.prepared(sql::save_late_claim);
  if (!insert) return insert.error();
  for (const auto& [coupon_id, claim] : claims) {
    (*insert)->text(coupon_id).integer(claim.holder.sequence).integer(claim.epoch);
    const auto ran = (*insert)->text(claim.holder.user_id).time(claim.holder.issued_at).run();
    if (!ran) return ran;
  }
  return {};
}

}  // namespace

Result<SaveOutcome> save_batch(SqliteConnection& writer, const SaveBatch& batch) {
  if (batch.events.empty() && batch.positions.empty() && batch.late.empty()) return SaveOutcome::saved;
  auto transaction = SqliteTransaction::begin(writer);
  if (!transaction) return transaction.error();
  for (const PositionChange& change : batch.positions) {
    const auto moved = move_position(writer, batch, change);
    if (!moved) return moved.error();
    if (!*moved) return SaveOutcome::fenced;
  }
  const auto current = epochs_match(writer, batch.epochs);
  if (!current) return current.error();
  if (!*current) return SaveOutcome::superseded;
  if (const auto inserted = insert_events(writer, batch.events); !inserted) return inserted.error();
  if (const auto kept = insert_late_claims(writer, batch.late); !kept) return kept.error();
  if (const auto committed = transaction->commit(); !committed) return committed.error();
  return SaveOutcome::saved;
}

}  // namespace seonchak
