#include "store/postgres/unsaved.hpp"

#include "store/postgres/statements.hpp"
#include "store/postgres/unsaved_statements.hpp"

namespace seonchak {

namespace {

namespace sql = postgres_sql;

/// Columns user_id, sequence, issued_at, claim_epoch.
std::vector<KnownClaim> read_claims(const PostgresRows& rows) {
  std::vector<KnownClaim> claims;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    claims.push_back(
        {{std::string(rows.text(row, 0)), rows.sequence(row, 1), rows.time(row, 2)}, rows.epoch(row, 3)});
  }
  return claims;
}

PostgresCall record_unsaved_call(const std::string& coupon_id, std::span<const KnownClaim> claims) {
  std::vector<std::string_view> users;
  std::vector<std::int64_t> sequences;
  std::vector<Time> times;
  std::vector<std::int64_t> epochs;
  for (const KnownClaim& claim : claims) {
    users.push_back(claim.holder.user_id);
    sequences.push_back(claim.holder.sequence.value());
    times.push_back(claim.holder.issued_at);
    epochs.push_back(claim.epoch.value());
  }
  PostgresParams params;
  params.text(coupon_id).texts(users).bigints(sequences).times(times).bigints(epochs);
  return {&sql::record_unsaved, std::move(params)};
}

PostgresParams recording_params(const std::string& coupon_id, Epoch epoch, const std::string& process) {
  PostgresParams params;
  params.text(coupon_id).bigint(epoch).text(process);
  return params;
}

Result<void> done(const Result<PostgresRows>& rows) {
  if (!rows) return rows.error();
  return {};
}

}  // namespace

Result<bool> PostgresUnsaved::begin_recording(const std::string& coupon_id, Epoch epoch,
                                              const std::string& process) {
  const auto rows = pool_.query(sql::begin_recording, recording_params(coupon_id, epoch, process));
  if (!rows) return rows.error();
  return rows->bigint(0, 0) > 0;
}

Result<bool> PostgresUnsaved::record_unsaved(const std::string& coupon_id, Epoch epoch,
                                             const std::string& process, std::span<const KnownClaim> claims) {
  if (auto fits = fits_a_piece(claims); !fits) return fits.error();
  auto connection = pool_.acquire();
  if (!connection) return connection.error();
  const auto written =
      (*connection)
          ->transaction({{&sql::lock_for_record, PostgresParams().text(coupon_id)},
                         {&sql::check_unsettled, PostgresParams().text(coupon_id).bigint(epoch)},
                         record_unsaved_call(coupon_id, claims),
                         {&sql::count_piece, recording_params(coupon_id, epoch, process)}});
  if (written) return true;
  if (written.error().sqlstate == sql::superseded_state) return false;
  return to_error(written.error());
}

Result<void> PostgresUnsaved::end_recording(const std::string& coupon_id, Epoch epoch,
                                            const std::string& process) {
  return done(pool_.query(sql::end_recording, recording_params(coupon_id, epoch, process)));
}

Result<std::vector<Recording>> PostgresUnsaved::recordings(const std::string& coupon_id, Epoch epoch) {
  const auto rows = pool_.query(sql::recordings, PostgresParams().text(coupon_id).bigint(epoch));
  if (!rows) return rows.error();
  std::vector<Recording> found;
  for (std::size_t row = 0; row < rows->size(); ++row) {
    found.push_back({std::string(rows->text(row, 0)), rows->bigint(row, 1)});
  }
  return found;
}

Result<std::vector<KnownClaim>> PostgresUnsaved::recorded_claims(const std::string& coupon_id) {
  const auto rows = pool_.query(sql::recorded_claims, PostgresParams().text(coupon_id));
  if (!rows) return rows.error();
  return read_claims(*rows);
}

Result<std::int64_t> PostgresUnsaved::recorded_claim_count(const std::string& coupon_id) {
  const auto rows = pool_.query(sql::recorded_claim_count, PostgresParams().text(coupon_id));
  if (!rows) return rows.error();
  return rows->bigint(0, 0);
}

Result<void> PostgresUnsaved::forget_recorded(const std::string& coupon_id, Epoch epoch) {
  return done(pool_.query(sql::forget_recorded, PostgresParams().text(coupon_id).bigint(epoch)));
}

Result<std::vector<KnownClaim>> PostgresUnsaved::late_claims(const std::string& coupon_id,
                                                             const KnownClaim& after, std::int64_t limit) {
  PostgresParams params;
  params.text(coupon_id).bigint(after.holder.sequence).bigint(after.epoch).text(after.holder.user_id);
  const auto rows = pool_.query(sql::late_claims, std::move(params.bigint(limit)));
  if (!rows) return rows.error();
  return read_claims(*rows);
}

Result<std::vector<std::string>> PostgresUnsaved::coupons_with_late_claims(const std::string& after_id,
                                                                           std::int64_t limit) {
  const auto rows = pool_.query(sql::coupons_with_late_claims, PostgresParams().text(after_id).bigint(limit));
  if (!rows) return rows.error();
  std::vector<std::string> ids;
  for (std::size_t row = 0; row < rows->size(); ++row) ids.emplace_back(rows->text(row, 0));
  return ids;
}

Result<void> PostgresUnsaved::forget_late_claims(const std::string& coupon_id,
                                                 std::span<const KnownClaim> claims) {
  if (auto fits = fits_a_piece(claims); !fits) return fits.error();
  std::vector<std::int64_t> sequences;
  std::vector<std::int64_t> epochs;
  std::vector<std::string_view> users;
  for (const KnownClaim& claim : claims) {
    sequences.push_back(claim.holder.sequence.value());
    epochs.push_back(claim.epoch.value());
    users.push_back(claim.holder.user_id);
  }
  PostgresParams params;
  params.text(coupon_id).bigints(sequences).bigints(epochs).texts(users);
  return done(pool_.query(sql::forget_late_claims, std::move(params)));
}

}  // namespace seonchak
