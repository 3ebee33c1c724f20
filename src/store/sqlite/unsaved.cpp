#include "store/sqlite/unsaved.hpp"

#include "store/sqlite/unsaved_statements.hpp"

namespace seonchak::sqlite_unsaved {

namespace sql = sqlite_sql;

namespace {

Result<bool> recovered_in(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch) {
  const auto check = writer.prepared(sql::recovered_epoch);
  if (!check) return check.error();
  const auto found =
      (*check)->text(coupon_id).integer(epoch).rows([](SqliteStatement& row) { return row.integer_at(0); });
  if (!found) return found.error();
  return found->front() > 0;
}

Result<void> run_for_recording(SqliteConnection& writer, const char* sql, const std::string& coupon_id,
                               Epoch epoch, const std::string& process) {
  const auto statement = writer.prepared(sql);
  if (!statement) return statement.error();
  return (*statement)->text(coupon_id).integer(epoch).text(process).run();
}

}  // namespace

Result<bool> begin_recording(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch,
                             const std::string& process) {
  auto transaction = SqliteTransaction::begin(writer);
  if (!transaction) return transaction.error();
  if (auto recovered = recovered_in(writer, coupon_id, epoch); !recovered || !*recovered) return recovered;
  const auto announced = run_for_recording(writer, sql::begin_recording, coupon_id, epoch, process);
  if (!announced) return announced.error();
  if (const auto committed = transaction->commit(); !committed) return committed.error();
  return true;
}

Result<bool> record_unsaved(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch,
                            const std::string& process, std::span<const KnownClaim> claims) {
  if (auto fits = fits_a_piece(claims); !fits) return fits.error();
  auto transaction = SqliteTransaction::begin(writer);
  if (!transaction) return transaction.error();
  if (auto recovered = recovered_in(writer, coupon_id, epoch); !recovered || !*recovered) return recovered;
  const auto insert = writer.prepared(sql::record_unsaved);
  if (!insert) return insert.error();
  for (const KnownClaim& claim : claims) {
    (*insert)->text(coupon_id).text(claim.holder.user_id).integer(claim.holder.sequence);
    const auto ran = (*insert)->time(claim.holder.issued_at).integer(claim.epoch).run();
    if (!ran) return ran.error();
  }
  const auto counted = run_for_recording(writer, sql::count_piece, coupon_id, epoch, process);
  if (!counted) return counted.error();
  if (const auto committed = transaction->commit(); !committed) return committed.error();
  return true;
}

Result<void> end_recording(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch,
                           const std::string& process) {
  return run_for_recording(writer, sql::end_recording, coupon_id, epoch, process);
}

Result<void> forget_recorded(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch) {
  auto transaction = SqliteTransaction::begin(writer);
  if (!transaction) return transaction.error();
  for (const char* const sql : {sql::forget_recorded, sql::forget_recordings}) {
    const auto remove = writer.prepared(sql);
    if (!remove) return remove.error();
    if (auto ran = (*remove)->text(coupon_id).integer(epoch).run(); !ran) return ran;
  }
  return transaction->commit();
}

Result<void> forget_late_claims(SqliteConnection& writer, const std::string& coupon_id,
                                std::span<const KnownClaim> claims) {
  if (auto fits = fits_a_piece(claims); !fits) return fits;
  auto transaction = SqliteTransaction::begin(writer);
  if (!transaction) return transaction.error();
  const auto remove = writer.prepared(sql::forget_late_claim);
  if (!remove) return remove.error();
  for (const KnownClaim& claim : claims) {
    (*remove)->text(coupon_id).integer(claim.holder.sequence).integer(claim.epoch);
    if (auto ran = (*remove)->text(claim.holder.user_id).run(); !ran) return ran;
  }
  return transaction->commit();
}

KnownClaim read_claim(SqliteStatement& row) {
  return {{row.text_at(0), row.sequence_at(1), row.time_at(2)}, row.epoch_at(3)};
}

}  // namespace seonchak::sqlite_unsaved
