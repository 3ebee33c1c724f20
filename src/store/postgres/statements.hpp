#pragma once
#include "store/postgres/connection.hpp"
#include "store/postgres/locks.hpp"

namespace seonchak::postgres_sql {

inline const std::string coupon_columns =
    "id, name, stock, opens_at, closes_at, status, ack, epoch, revision, created_at, gate, settled";

/// Held to the end of the transaction, so that revisions become visible in order: a reader never sees one
/// before a lower one. The statement after it takes a new snapshot, which has every revision committed
/// before.
inline const PostgresStatement lock_revisions = {"lock_revisions", lock_sql(revision_lock)};

/// Follows the clock, so that a database that has fallen back does not repeat itself. After lock_revisions;
/// the same for all rows of a statement.
inline const std::string last_revision =
    "GREATEST((SELECT coalesce(max(revision), 0) FROM coupon),"
    " floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint - 1)";

/// For a coupon without an id; the index coupon_number has it at hand.
inline const std::string next_number =
    "(SELECT (coalesce(max(id::bigint), 0) + 1)::text FROM coupon WHERE id ~ '^[0-9]{1,18}$')";

/// An id that somebody inserts or deletes right now is waited for under lock_revisions, so briefly.
inline const PostgresStatement wait_briefly = {"wait_briefly",
                                               "SELECT set_config('lock_timeout', '200ms', true)"};

/// After lock_revisions: a trigger of somebody else's on `coupon` that hangs keeps all other changes of
/// coupons waiting. Shorter than they wait for that lock.
inline const PostgresStatement change_quickly = {"change_quickly",
                                                 "SELECT set_config('statement_timeout', '700ms', true)"};

inline const PostgresStatement create_coupon = {
    "create_coupon",
    "INSERT INTO coupon (id, name, stock, opens_at, closes_at, status, ack, epoch, gate, settled, "
    "created_at, revision)"
    " SELECT CASE WHEN $1 <> '' THEN $1 ELSE " +
        next_number +
        " END,"
        " $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, " +
        last_revision +
        " + 1"
        " RETURNING id, revision"};

inline const PostgresStatement coupon = {"coupon", "SELECT " + coupon_columns + " FROM coupon WHERE id = $1"};

inline const PostgresStatement coupon_for_update = {"coupon_for_update", coupon.sql + " FOR NO KEY UPDATE"};

inline const PostgresStatement update_coupon = {
    "update_coupon",
    "UPDATE coupon SET name = $2, stock = $3, opens_at = $4, closes_at = $5, status = $6, ack = $7, epoch = "
    "$8, gate = $9, settled = $10,"
    " revision = GREATEST($11, " +
        last_revision + " + 1) WHERE id = $1 RETURNING revision"};

/// Rows, then lock_revisions: the order of update_coupon.
inline const PostgresStatement coupons_for_fence = {
    "coupons_for_fence", "SELECT id FROM coupon WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED"};

/// What has come free since coupons_for_fence is taken as well, in its newest version.
inline const PostgresStatement fence_coupons = {
    "fence_coupons",
    "WITH free AS (SELECT id, epoch, gate FROM coupon WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED),"
    " fence AS (SELECT free.id, f.epoch, f.gate, row_number() OVER (ORDER BY free.id) AS place"
    " FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[])"
    " AS f (id, seen_epoch, seen_gate, epoch, gate)"
    " JOIN free ON free.id = f.id AND free.epoch = f.seen_epoch AND free.gate = f.seen_gate)"
    " UPDATE coupon SET epoch = fence.epoch, gate = fence.gate,"
    " revision = " +
        last_revision +
        " + fence.place FROM fence WHERE coupon.id = fence.id"
        " RETURNING coupon.id, name, stock, opens_at, closes_at, status, ack, coupon.epoch, revision, "
        "created_at,"
        " coupon.gate, settled"};

inline const PostgresStatement coupons_among = {"coupons_among", "SELECT id FROM coupon WHERE id = ANY($1)"};

inline const PostgresStatement coupons_since = {
    "coupons_since",
    "SELECT " + coupon_columns + " FROM coupon WHERE revision > $1 ORDER BY revision LIMIT $2"};

inline const PostgresStatement coupon_totals = {
    "coupon_totals",
    "SELECT count(*), coalesce(max(revision), 0), coalesce(sum(revision & 4294967295), 0)::bigint"
    " FROM coupon WHERE revision > 0"};

inline const PostgresStatement list_coupons = {
    "list_coupons", "SELECT " + coupon_columns + " FROM coupon WHERE id > $1 ORDER BY id LIMIT $2"};

inline const PostgresStatement move_positions = {"move_positions",
                                                 "SELECT move_log_positions($1, $2, $3, $4, $5, $6)"};

inline const PostgresStatement check_epochs = {"check_epochs", "SELECT check_coupon_epochs($1, $2)"};

/// SQLSTATE of check_epochs when a coupon is in another epoch.
inline constexpr std::string_view superseded_state = "SC002";

/// SQLSTATE of move_positions when another member was faster.
inline constexpr std::string_view fenced_state = "SC001";

/// Fails with unique_violation_state when a row is there already.
inline const PostgresStatement save_new_events = {
    "save_new_events",
    "INSERT INTO user_coupon (coupon_id, sequence, user_id, issued_at, epoch)"
    " SELECT * FROM unnest($1, $2, $3, $4, $5)"};

inline constexpr std::string_view unique_violation_state = "23505";

/// Leaves rows alone that are there already.
inline const PostgresStatement save_events = {
    "save_events", save_new_events.sql + " ON CONFLICT (coupon_id, user_id) DO NOTHING"};

inline const PostgresStatement save_late_claims = {
    "save_late_claims",
    "INSERT INTO late_claim (coupon_id, sequence, claim_epoch, user_id, issued_at)"
    " SELECT * FROM unnest($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"};

/// SQLSTATE of a row's lock that did not come free within lock_timeout.
inline constexpr std::string_view lock_timeout_state = "55P03";

inline constexpr std::string_view sequence_constraint = "user_coupon_sequence";

inline const PostgresStatement positions = {
    "positions",
    "SELECT partition, next_offset, fingerprint FROM log_position WHERE "
    "consumer_group = $1 AND topic = $2 ORDER BY partition"};

inline const PostgresStatement highest_positions = {
    "highest_positions",
    "SELECT DISTINCT ON (partition) partition, next_offset, fingerprint FROM log_position WHERE topic = $1"
    " ORDER BY partition, next_offset DESC"};

inline const PostgresStatement coupons_of_user = {
    "coupons_of_user",
    "SELECT coupon_id, sequence, issued_at, status FROM user_coupon WHERE user_id = $1"
    " ORDER BY issued_at DESC, coupon_id LIMIT $2"};

inline const PostgresStatement holders = {
    "holders",
    "SELECT user_id, sequence, issued_at FROM user_coupon WHERE coupon_id = $1 AND sequence > $2"
    " ORDER BY sequence LIMIT $3"};

inline const PostgresStatement holders_among = {
    "holders_among",
    "SELECT user_id, sequence, issued_at FROM user_coupon WHERE coupon_id = $1 AND user_id = ANY ($2)"};

inline const PostgresStatement check = {"check", "SELECT 1"};

}  // namespace seonchak::postgres_sql
