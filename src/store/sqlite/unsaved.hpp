#pragma once
#include "core/ports/store.hpp"
#include "store/sqlite/connection.hpp"

namespace seonchak::sqlite_unsaved {

/// What the store's calls about unsaved claims write, each in a transaction of its own. Reading them is in
/// sqlite_unsaved_statements.hpp.
Result<bool> begin_recording(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch,
                             const std::string& process);
Result<bool> record_unsaved(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch,
                            const std::string& process, std::span<const KnownClaim> claims);
Result<void> end_recording(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch,
                           const std::string& process);
Result<void> forget_recorded(SqliteConnection& writer, const std::string& coupon_id, Epoch epoch);
Result<void> forget_late_claims(SqliteConnection& writer, const std::string& coupon_id,
                                std::span<const KnownClaim> claims);

/// Columns user_id, sequence, issued_at, claim_epoch.
KnownClaim read_claim(SqliteStatement& row);

}  // namespace seonchak::sqlite_unsaved
