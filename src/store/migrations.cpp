#include "store/migrations.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "embedded/postgres_schema.hpp"
#include "embedded/sqlite_schema.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/locks.hpp"
#include "store/sqlite/connection.hpp"

namespace seonchak {

namespace {

constexpr std::array postgres_list = {Migration{1, 1, embedded::k_postgres_0001_init_sql},
                                      Migration{2, 2, embedded::k_postgres_0002_gate_recovery_sql},
                                      Migration{3, 3, embedded::k_postgres_0003_two_indexes_sql},
                                      Migration{4, 4, embedded::k_postgres_0004_coupon_number_sql},
                                      Migration{5, 5, embedded::k_postgres_0005_unsaved_claims_sql},
                                      Migration{6, 5, embedded::k_postgres_0006_position_fingerprint_sql}};
constexpr std::array sqlite_list = {Migration{1, 1, embedded::k_sqlite_0001_init_sql},
                                    Migration{2, 2, embedded::k_sqlite_0002_gate_recovery_sql},
                                    Migration{3, 3, embedded::k_sqlite_0003_two_indexes_sql},
                                    Migration{4, 4, embedded::k_sqlite_0004_coupon_number_sql},
                                    Migration{5, 5, embedded::k_sqlite_0005_unsaved_claims_sql},
                                    Migration{6, 5, embedded::k_sqlite_0006_position_fingerprint_sql}};

/// Also how long a process waits for another one to finish migrating.
constexpr auto migration_timeout_ms = std::chrono::milliseconds(600'000);

constexpr char version_sql[] = "SELECT coalesce(max(version), 0) FROM schema_migration";

/// From this migration on, each says which programs may use the database.
constexpr int first_with_oldest_program = 5;

struct SchemaVersion {
  int version = 0;         ///< 0: nothing was applied yet
  int oldest_program = 0;  ///< what the migrations above this program's ask for
};

std::string oldest_program_sql(std::span<const Migration> all) {
  return "SELECT coalesce(max(oldest_program), 0) FROM schema_migration WHERE version > " +
         std::to_string(all.back().version);
}

/// The first migration the database does not have, or null when it has them all.
const Migration* next_migration(std::span<const Migration> all, SchemaVersion schema) {
  const int known = all.back().version;
  if (schema.oldest_program > known) {
    throw StartupError("the database has schema version " + std::to_string(schema.version) +
                       ", this program knows up to " + std::to_string(known) +
                       ": start a seonchak at least as new as the one that migrated it");
  }
  return schema.version >= known ? nullptr : &all[static_cast<std::size_t>(schema.version)];
}

/// What records it; before the first one that says it there is no column for it.
std::string applied_sql(const Migration& migration, const std::string& columns, const std::string& values) {
  const bool says = migration.version >= first_with_oldest_program;
  return "INSERT INTO schema_migration (version" + columns + (says ? ", oldest_program" : "") + ") VALUES (" +
         std::to_string(migration.version) + values +
         (says ? ", " + std::to_string(migration.oldest_program) : "") + ")";
}

void require_up_to_date(const Migration* next) {
  if (next == nullptr) return;
  throw StartupError("the database is not of this program yet (schema version " +
                     std::to_string(next->version - 1) +
                     "): check that it is the right one, and start `seonchak serve` of this version once");
}

int to_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void log_applied(std::string_view database, std::span<const Migration* const> applied) {
  for (const Migration* migration : applied)
    log::info("schema migrated", {{"database", database}, {"version", migration->version}});
}

PostgresRows run_or_throw(PostgresConnection& connection, const std::string& sql) {
  auto rows = connection.script(sql, migration_timeout_ms);
  if (rows) return std::move(*rows);
  throw StartupError("the schema cannot be brought up to date: " + to_error(rows.error()).message +
                     ": give seonchak a role that may create tables, and a database of its own");
}

SchemaVersion postgres_version(PostgresConnection& connection) {
  // Not to_regclass: it may answer from a cache that is older than the wait for the lock.
  const auto present =
      run_or_throw(connection,
                   "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'schema_migration'"
                   " AND relkind = 'r' AND pg_catalog.pg_table_is_visible(oid)");
  if (to_number(present.text(0, 0)) == 0) return {};
  const auto number = [&](const std::string& sql) {
    return to_number(run_or_throw(connection, sql).text(0, 0));
  };
  SchemaVersion schema{number(version_sql)};
  if (schema.version > postgres_migrations().back().version) {
    schema.oldest_program = number(oldest_program_sql(postgres_migrations()));
  }
  return schema;
}

/// All in one transaction: a database that refuses one of them is left as it was.
void migrate_locked(PostgresConnection& connection) {
  run_or_throw(connection,
               "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 0;"
               "SET LOCAL statement_timeout = " +
                   std::to_string(migration_timeout_ms.count()) + ";" + lock_sql(migration_lock));
  std::vector<const Migration*> applied;
  while (const Migration* next = next_migration(postgres_migrations(), postgres_version(connection))) {
    run_or_throw(connection, std::string(next->sql));
    run_or_throw(connection, applied_sql(*next, "", ""));
    applied.push_back(next);
  }
  run_or_throw(connection, "COMMIT");
  log_applied("postgresql", applied);
}

void run_or_throw(SqliteConnection& connection, const std::string& sql) {
  const auto done = connection.script(sql);
  if (done) return;
  throw StartupError("the schema cannot be brought up to date: " + done.error().message +
                     ": give seonchak a file of its own");
}

int number_or_throw(SqliteConnection& connection, const char* sql) {
  const auto value = connection.value(sql);
  if (!value) throw StartupError("the schema cannot be read: " + value.error().message);
  return to_number(*value);
}

SchemaVersion sqlite_version(SqliteConnection& connection) {
  const int present =
      number_or_throw(connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migration'");
  if (present == 0) return {};
  SchemaVersion schema{number_or_throw(connection, version_sql)};
  if (schema.version > sqlite_migrations().back().version) {
    schema.oldest_program = number_or_throw(connection, oldest_program_sql(sqlite_migrations()).c_str());
  }
  return schema;
}

}  // namespace

std::span<const Migration> postgres_migrations() {
  return postgres_list;
}

std::span<const Migration> sqlite_migrations() {
  return sqlite_list;
}

void migrate(PostgresConnection& connection) {
  // Asked without the lock first: once up to date, a role that may not create tables, or a standby, can
  // start.
  if (next_migration(postgres_migrations(), postgres_version(connection)) == nullptr) return;
  migrate_locked(connection);
}

void migrate(SqliteConnection& connection) {
  if (next_migration(sqlite_migrations(), sqlite_version(connection)) == nullptr) return;
  // The caller gives the connection up when this throws, and SQLite rolls back.
  run_or_throw(connection, "BEGIN IMMEDIATE");
  std::vector<const Migration*> applied;
  while (const Migration* next = next_migration(sqlite_migrations(), sqlite_version(connection))) {
    run_or_throw(connection, std::string(next->sql));
    run_or_throw(connection, applied_sql(*next, ", applied_at", ", " + std::to_string(to_millis(now()))));
    applied.push_back(next);
  }
  run_or_throw(connection, "COMMIT");
  log_applied("sqlite", applied);
}

void require_migrated(PostgresConnection& connection) {
  require_up_to_date(next_migration(postgres_migrations(), postgres_version(connection)));
}

void require_migrated(SqliteConnection& connection) {
  require_up_to_date(next_migration(sqlite_migrations(), sqlite_version(connection)));
}

}  // namespace seonchak
