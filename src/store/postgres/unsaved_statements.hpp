#pragma once
#include "store/postgres/connection.hpp"

namespace seonchak::postgres_sql {

/// Without a lock on the coupon's row, which somebody may hold for long: one that comes too late is harmless.
inline const PostgresStatement begin_recording = {
    "begin_recording",
    "WITH announced AS (INSERT INTO recording (coupon_id, epoch, process, pieces)"
    " SELECT id, epoch, $3, 0 FROM coupon WHERE id = $1 AND epoch = $2 AND settled <> epoch"
    " ON CONFLICT (coupon_id, epoch, process) DO UPDATE SET pieces = recording.pieces RETURNING 1)"
    " SELECT count(*) FROM announced"};

/// Before check_unsettled, so that of many coupons those whose row somebody holds cost no time.
inline const PostgresStatement lock_for_record = {"lock_for_record",
                                                  "SELECT 1 FROM coupon WHERE id = $1 FOR SHARE NOWAIT"};

/// Fails with superseded_state when the coupon is not under recovery in that epoch.
inline const PostgresStatement check_unsettled = {"check_unsettled", "SELECT check_coupon_unsettled($1, $2)"};

inline const PostgresStatement record_unsaved = {
    "record_unsaved",
    "INSERT INTO testimony (coupon_id, user_id, sequence, issued_at, claim_epoch)"
    " SELECT $1, * FROM unnest($2, $3, $4, $5) ON CONFLICT DO NOTHING"};

inline const PostgresStatement count_piece = {
    "count_piece",
    "UPDATE recording SET pieces = pieces + 1 WHERE coupon_id = $1 AND epoch = $2 AND process = $3"};

inline const PostgresStatement end_recording = {
    "end_recording", "DELETE FROM recording WHERE coupon_id = $1 AND epoch = $2 AND process = $3"};

inline const PostgresStatement recordings = {
    "recordings", "SELECT process, pieces FROM recording WHERE coupon_id = $1 AND epoch = $2"};

inline const PostgresStatement recorded_claims = {
    "recorded_claims",
    "SELECT user_id, sequence, issued_at, claim_epoch FROM testimony WHERE coupon_id = $1"};

inline const PostgresStatement recorded_claim_count = {"recorded_claim_count",
                                                       "SELECT count(*) FROM testimony WHERE coupon_id = $1"};

inline const PostgresStatement forget_recorded = {
    "forget_recorded",
    "WITH settled AS (SELECT id FROM coupon WHERE id = $1 AND epoch = $2 AND settled = $2),"
    " recordings AS (DELETE FROM recording USING settled WHERE coupon_id = id)"
    " DELETE FROM testimony USING settled WHERE coupon_id = id"};

inline const PostgresStatement late_claims = {
    "late_claims",
    "SELECT user_id, sequence, issued_at, claim_epoch FROM late_claim"
    " WHERE coupon_id = $1 AND (sequence, claim_epoch, user_id) > ($2, $3, $4)"
    " ORDER BY sequence, claim_epoch, user_id LIMIT $5"};

/// One probe of the index for each coupon, however many claims it has.
inline const PostgresStatement coupons_with_late_claims = {
    "coupons_with_late_claims",
    "WITH RECURSIVE next (id, number) AS ("
    " SELECT (SELECT min(coupon_id) FROM late_claim WHERE coupon_id > $1), 1"
    " UNION ALL SELECT (SELECT min(coupon_id) FROM late_claim WHERE coupon_id > next.id), number + 1"
    " FROM next WHERE id IS NOT NULL AND number < $2)"
    " SELECT id FROM next WHERE id IS NOT NULL LIMIT $2"};

inline const PostgresStatement forget_late_claims = {
    "forget_late_claims",
    "DELETE FROM late_claim AS late USING unnest($2, $3, $4) AS decided (sequence, claim_epoch, user_id)"
    " WHERE late.coupon_id = $1 AND late.sequence = decided.sequence"
    " AND late.claim_epoch = decided.claim_epoch AND late.user_id = decided.user_id"};

}  // namespace seonchak::postgres_sql
