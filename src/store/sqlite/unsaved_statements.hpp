#pragma once

namespace seonchak::sqlite_sql {

inline constexpr char recovered_epoch[] =
    "SELECT count(*) FROM coupon WHERE id = ?1 AND epoch = ?2 AND settled <> epoch";
inline constexpr char begin_recording[] =
    "INSERT INTO recording (coupon_id, epoch, process, pieces) VALUES (?1, ?2, ?3, 0) ON CONFLICT DO NOTHING";
inline constexpr char record_unsaved[] =
    "INSERT INTO testimony (coupon_id, user_id, sequence, issued_at, claim_epoch) VALUES (?1, ?2, ?3, "
    "?4, ?5)"
    " ON CONFLICT DO NOTHING";
inline constexpr char count_piece[] =
    "UPDATE recording SET pieces = pieces + 1 WHERE coupon_id = ?1 AND epoch = ?2 AND process = ?3";
inline constexpr char end_recording[] =
    "DELETE FROM recording WHERE coupon_id = ?1 AND epoch = ?2 AND process = ?3";
inline constexpr char recordings[] =
    "SELECT process, pieces FROM recording WHERE coupon_id = ?1 AND epoch = ?2";
inline constexpr char recorded_claims[] =
    "SELECT user_id, sequence, issued_at, claim_epoch FROM testimony WHERE coupon_id = ?1";
inline constexpr char recorded_claim_count[] = "SELECT count(*) FROM testimony WHERE coupon_id = ?1";
#define SEONCHAK_SETTLED \
  " WHERE coupon_id = ?1 AND EXISTS (SELECT 1 FROM coupon WHERE id = ?1 AND epoch = ?2 AND settled = ?2)"
inline constexpr char forget_recorded[] = "DELETE FROM testimony" SEONCHAK_SETTLED;
inline constexpr char forget_recordings[] = "DELETE FROM recording" SEONCHAK_SETTLED;
#undef SEONCHAK_SETTLED

inline constexpr char late_claims[] =
    "SELECT user_id, sequence, issued_at, claim_epoch FROM late_claim"
    " WHERE coupon_id = ?1 AND (sequence, claim_epoch, user_id) > (?2, ?3, ?4)"
    " ORDER BY sequence, claim_epoch, user_id LIMIT ?5";
/// One probe of the index for each coupon, however many claims it has.
inline constexpr char coupons_with_late_claims[] =
    "WITH RECURSIVE next (id, number) AS ("
    " SELECT (SELECT min(coupon_id) FROM late_claim WHERE coupon_id > ?1), 1"
    " UNION ALL SELECT (SELECT min(coupon_id) FROM late_claim WHERE coupon_id > next.id), number + 1"
    " FROM next WHERE id IS NOT NULL AND number < ?2)"
    " SELECT id FROM next WHERE id IS NOT NULL LIMIT ?2";
inline constexpr char forget_late_claim[] =
    "DELETE FROM late_claim WHERE coupon_id = ?1 AND sequence = ?2 AND claim_epoch = ?3 AND user_id = ?4";

}  // namespace seonchak::sqlite_sql
