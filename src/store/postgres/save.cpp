#include "store/postgres/save.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "store/postgres/statements.hpp"

namespace seonchak {

namespace {

namespace sql = postgres_sql;

constexpr int careful_tries_max = 3;

PostgresCall move_positions_call(const SaveBatch& batch) {
  // Members that save at once lock the rows in one order.
  std::vector<PositionChange> changes = batch.positions;
  std::ranges::stable_sort(changes, {}, &PositionChange::partition);
  std::vector<std::int32_t> partitions;
  std::vector<std::int64_t> expected;
  std::vector<std::int64_t> next;
  std::vector<std::string_view> fingerprints;
  for (const PositionChange& change : changes) {
    partitions.push_back(change.partition);
    expected.push_back(change.expected);
    next.push_back(change.next);
    fingerprints.push_back(change.fingerprint);
  }
  PostgresParams params;
  params.text(batch.group).text(batch.topic).integers(partitions).bigints(expected).bigints(next);
  params.texts(fingerprints);
  return {&sql::move_positions, std::move(params)};
}

PostgresCall save_events_call(const SaveBatch& batch, const PostgresStatement& statement) {
  // Coupon by coupon, in the order of the log: the index of sequences grows at its end, savers that repeat
  // each other lock rows in one order, and of a user's two events the earlier one counts.
  std::vector<const IssuedEvent*> events;
  for (const IssuedEvent& event : batch.events) events.push_back(&event);
  std::ranges::stable_sort(events, {}, &IssuedEvent::coupon_id);
  std::vector<std::string_view> coupons;
  std::vector<std::int64_t> sequences;
  std::vector<std::string_view> users;
  std::vector<Time> times;
  std::vector<std::int64_t> epochs;
  for (const IssuedEvent* event : events) {
    coupons.push_back(event->coupon_id);
    sequences.push_back(event->sequence.value());
    users.push_back(event->user_id);
    times.push_back(event->issued_at);
    epochs.push_back(event->epoch.value());
  }
  PostgresParams params;
  params.texts(coupons).bigints(sequences).texts(users).times(times).bigints(epochs);
  return {&statement, std::move(params)};
}

PostgresCall save_late_claims_call(const SaveBatch& batch) {
  std::vector<const LateClaim*> claims;
  for (const LateClaim& late : batch.late) claims.push_back(&late);
  std::ranges::sort(claims, {}, [](const LateClaim* late) {
    return std::tie(late->coupon_id, late->claim.holder.sequence, late->claim.epoch,
                    late->claim.holder.user_id);
  });
  std::vector<std::string_view> coupons;
  std::vector<std::int64_t> sequences;
  std::vector<std::int64_t> epochs;
  std::vector<std::string_view> users;
  std::vector<Time> times;
  for (const LateClaim* late : claims) {
    coupons.push_back(late->coupon_id);
    sequences.push_back(late->claim.holder.sequence.value());
    epochs.push_back(late->claim.epoch.value());
    users.push_back(late->claim.holder.user_id);
    times.push_back(late->claim.holder.issued_at);
  }
  PostgresParams params;
  params.texts(coupons).bigints(sequences).bigints(epochs).texts(users).times(times);
  return {&sql::save_late_claims, std::move(params)};
}

PostgresCall check_epochs_call(const SaveBatch& batch) {
  std::vector<std::string_view> coupons;
  std::vector<std::int64_t> epochs;
  for (const CouponEpoch& expected : batch.epochs) {
    coupons.push_back(expected.coupon_id);
    epochs.push_back(expected.epoch.value());
  }
  PostgresParams params;
  params.texts(coupons).bigints(epochs);
  return {&sql::check_epochs, std::move(params)};
}

/// The checks first: a fenced member writes no row.
std::vector<PostgresCall> save_calls(const SaveBatch& batch, const PostgresStatement& save_events) {
  std::vector<PostgresCall> calls;
  if (!batch.positions.empty()) calls.push_back(move_positions_call(batch));
  if (!batch.epochs.empty()) calls.push_back(check_epochs_call(batch));
  if (!batch.events.empty()) calls.push_back(save_events_call(batch, save_events));
  if (!batch.late.empty()) calls.push_back(save_late_claims_call(batch));
  return calls;
}

Result<SaveOutcome> outcome_of(const PostgresResult<std::vector<PostgresRows>>& rows) {
  if (rows) return SaveOutcome::saved;
  if (rows.error().sqlstate == sql::fenced_state) return SaveOutcome::fenced;
  if (rows.error().sqlstate == sql::superseded_state) return SaveOutcome::superseded;
  if (rows.error().sqlstate == sql::lock_timeout_state) return SaveOutcome::busy;
  return save_error(rows.error());
}

}  // namespace

Result<SaveOutcome> PostgresSaver::save(PostgresConnection& connection, const SaveBatch& batch) {
  if (careful_saves_ <= 0) {
    const auto rows = connection.transaction(save_calls(batch, sql::save_new_events));
    if (rows || rows.error().sqlstate != sql::unique_violation_state) return outcome_of(rows);
    careful_saves_ = careful_saves_after_a_repeat;
  } else {
    --careful_saves_;
  }
  auto rows = connection.transaction(save_calls(batch, sql::save_events));
  // Two savers of one new row can meet in this constraint before either finds the other's key. The first has
  // committed by now: another try leaves its row alone, and a real clash fails again.
  const auto clash = [&] { return !rows && rows.error().constraint == sql::sequence_constraint; };
  for (int tries = 1; clash() && tries < careful_tries_max; ++tries) {
    rows = connection.transaction(save_calls(batch, sql::save_events));
  }
  return outcome_of(rows);
}

}  // namespace seonchak
