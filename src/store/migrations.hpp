#pragma once
#include <span>
#include <string_view>

namespace seonchak {

class PostgresConnection;
class SqliteConnection;

/// One file of schema/: what takes a database from version - 1 to version.
struct Migration {
  int version = 0;
  int oldest_program = 0;  ///< the oldest version that a program must know to use a database with this one
  std::string_view sql;
};

/// In order of version, from 1, without a gap. A migration that was released is never edited again.
std::span<const Migration> postgres_migrations();
std::span<const Migration> sqlite_migrations();

/// Brings the schema up to date: one transaction per migration, which also records it in schema_migration.
/// Processes that start at once take turns under an advisory lock; an SQLite file has only one process.
/// A database of a newer program is left as it is, if each migration this program does not know says that it
/// may use it. Throws StartupError when one does not, or the database refuses a migration.
void migrate(PostgresConnection& connection);
void migrate(SqliteConnection& connection);

/// For a reader, which changes nothing: throws StartupError unless the schema is up to date, or newer in
/// the same way.
void require_migrated(PostgresConnection& connection);
void require_migrated(SqliteConnection& connection);

}  // namespace seonchak
