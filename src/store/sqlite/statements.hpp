#pragma once
#include <cstddef>

namespace seonchak::sqlite_sql {

#define SEONCHAK_COUPON_COLUMNS \
  "id, name, stock, opens_at, closes_at, status, ack, epoch, revision, created_at, gate, settled"

/// Follows the clock, so that a file that was put back does not repeat itself.
#define SEONCHAK_NEXT_REVISION                               \
  "max((SELECT coalesce(max(revision), 0) + 1 FROM coupon)," \
  " CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER))"

inline constexpr char create_coupon[] =
    "INSERT INTO coupon (id, name, stock, opens_at, closes_at, status, ack, epoch, gate, settled, "
    "created_at, revision)"
    " SELECT CASE WHEN ?1 <> '' THEN ?1 ELSE (SELECT CAST(coalesce(max(CAST(id AS INTEGER)), 0) + 1 AS TEXT)"
    " FROM coupon WHERE id NOT GLOB '*[^0-9]*' AND length(id) <= 18) END,"
    " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, " SEONCHAK_NEXT_REVISION " RETURNING id, revision";
inline constexpr char coupon[] = "SELECT " SEONCHAK_COUPON_COLUMNS " FROM coupon WHERE id = ?1";
inline constexpr char update_coupon[] =
    "UPDATE coupon SET name = ?2, stock = ?3, opens_at = ?4, closes_at = ?5, status = ?6, ack = ?7, epoch = "
    "?8, gate = ?9, settled = ?10,"
    " revision = max(?11, " SEONCHAK_NEXT_REVISION ") WHERE id = ?1 RETURNING revision";
inline constexpr char fence_coupon[] =
    "UPDATE coupon SET epoch = ?4, gate = ?5, revision = " SEONCHAK_NEXT_REVISION
    " WHERE id = ?1 AND epoch = ?2 AND gate = ?3 RETURNING " SEONCHAK_COUPON_COLUMNS;
inline constexpr char coupons_since[] =
    "SELECT " SEONCHAK_COUPON_COLUMNS " FROM coupon WHERE revision > ?1 ORDER BY revision LIMIT ?2";
inline constexpr char list_coupons[] =
    "SELECT " SEONCHAK_COUPON_COLUMNS " FROM coupon WHERE id > ?1 ORDER BY id LIMIT ?2";
inline constexpr char coupon_totals[] =
    "SELECT count(*), coalesce(max(revision), 0), coalesce(sum(revision & 4294967295), 0)"
    " FROM coupon WHERE revision > 0";
#undef SEONCHAK_NEXT_REVISION
#undef SEONCHAK_COUPON_COLUMNS

inline constexpr char move_position[] =
    "UPDATE log_position SET next_offset = ?1, fingerprint = ?6"
    " WHERE consumer_group = ?2 AND topic = ?3 AND partition = ?4 AND next_offset = ?5";
inline constexpr char first_position[] =
    "INSERT INTO log_position (next_offset, consumer_group, topic, partition, fingerprint)"
    " VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (consumer_group, topic, partition) DO NOTHING";

/// Several rows a statement: what a statement costs before and after its rows is a third of a row.
#define SEONCHAK_SAVE(rows)                                                                         \
  "INSERT INTO user_coupon (coupon_id, sequence, user_id, issued_at, epoch, saved_at) VALUES " rows \
  " ON CONFLICT (coupon_id, user_id) DO NOTHING"
#define SEONCHAK_ROW "(?, ?, ?, ?, ?, ?)"
#define SEONCHAK_FOUR_ROWS SEONCHAK_ROW "," SEONCHAK_ROW "," SEONCHAK_ROW "," SEONCHAK_ROW
inline constexpr char save_event[] = SEONCHAK_SAVE(SEONCHAK_ROW);
inline constexpr std::size_t events_at_once = 8;
inline constexpr char save_events[] = SEONCHAK_SAVE(SEONCHAK_FOUR_ROWS "," SEONCHAK_FOUR_ROWS);
#undef SEONCHAK_FOUR_ROWS
#undef SEONCHAK_ROW
#undef SEONCHAK_SAVE

inline constexpr char save_late_claim[] =
    "INSERT INTO late_claim (coupon_id, sequence, claim_epoch, user_id, issued_at) VALUES (?1, ?2, ?3, ?4, "
    "?5)"
    " ON CONFLICT DO NOTHING";

inline constexpr char positions[] =
    "SELECT partition, next_offset, fingerprint FROM log_position WHERE consumer_group = ?1 AND topic = ?2 "
    "ORDER BY "
    "partition";
inline constexpr char highest_positions[] =
    "SELECT partition, max(next_offset), fingerprint FROM log_position WHERE topic = ?1"
    " GROUP BY partition ORDER BY partition";
inline constexpr char coupons_of_user[] =
    "SELECT coupon_id, user_id, sequence, issued_at, status FROM user_coupon WHERE user_id = ?1"
    " ORDER BY issued_at DESC, coupon_id LIMIT ?2";
inline constexpr char holders[] =
    "SELECT user_id, sequence, issued_at FROM user_coupon WHERE coupon_id = ?1 AND sequence > ?2"
    " ORDER BY sequence LIMIT ?3";
inline constexpr char holder[] =
    "SELECT user_id, sequence, issued_at FROM user_coupon WHERE coupon_id = ?1 AND user_id = ?2";
inline constexpr char coupon_epoch[] = "SELECT epoch FROM coupon WHERE id = ?1";
inline constexpr char check[] = "SELECT count(*) FROM schema_migration";

}  // namespace seonchak::sqlite_sql
