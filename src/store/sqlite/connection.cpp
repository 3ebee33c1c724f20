#include "store/sqlite/connection.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include <sqlite3.h>

namespace seonchak {

namespace {

constexpr std::chrono::milliseconds lock_look_max{20};

/// The data itself is refused, now and for ever; anything else may be cured.
bool refuses_data(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH || primary == SQLITE_TOOBIG;
}

/// A trigger of the operator's can be mended.
Errc code_of(int code) {
  if (code == SQLITE_CONSTRAINT_TRIGGER) return Errc::not_now;
  return refuses_data(code) ? Errc::rejected : Errc::unavailable;
}

Error last_error(sqlite3* connection) {
  const int code = sqlite3_extended_errcode(connection);
  return {code_of(code), "sqlite " + std::to_string(code) + ": " + sqlite3_errmsg(connection)};
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteStatement& SqliteStatement::text(std::string_view value) {
  sqlite3_bind_text(statement_.get(), ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  return *this;
}

SqliteStatement& SqliteStatement::integer(std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), ++bound_, value);
  return *this;
}

SqliteStatement& SqliteStatement::time(std::optional<Time> value) {
  if (value) return integer(to_millis(*value));
  sqlite3_bind_null(statement_.get(), ++bound_);
  return *this;
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = last_error(connection_);
  reset();
  return error;
}

Result<void> SqliteStatement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
  bound_ = 0;
}

std::string SqliteStatement::text_at(int column) const {
  const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t SqliteStatement::integer_at(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

Time SqliteStatement::time_at(int column) const {
  return from_millis(integer_at(column));
}

std::optional<Time> SqliteStatement::optional_time_at(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return time_at(column);
}

void SqliteConnection::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

SqliteConnection::SqliteConnection(const std::string& path, int busy_timeout_ms, bool read_only,
                                   std::shared_ptr<StopDeadline> stop)
    : lock_wait_(new LockWait{std::chrono::milliseconds(busy_timeout_ms), std::move(stop)}) {
  sqlite3* opened = nullptr;
  const int access = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &opened, access | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(opened);
  if (code != SQLITE_OK) {
    throw StartupError("cannot open " + path + ": " + sqlite3_errstr(code) +
                       ": let seonchak write this file and its folder, or choose another path for the store");
  }
  if (!read_only && sqlite3_db_readonly(opened, "main") == 1) {
    throw StartupError("cannot write " + path +
                       ": let seonchak write this file, or choose another path for the store");
  }
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_handler(opened, wait_for_lock, lock_wait_.get());
}

/// 0 ends the wait.
int SqliteConnection::wait_for_lock(void* lock_wait, int waits_before) {
  LockWait& wait = *static_cast<LockWait*>(lock_wait);
  const auto time = std::chrono::steady_clock::now();
  if (waits_before == 0) wait.began = time;
  if (time - wait.began >= wait.most || (wait.stop && wait.stop->passed())) return 0;
  std::this_thread::sleep_for(std::min(std::chrono::milliseconds(waits_before + 1), lock_look_max));
  return 1;
}

Result<SqliteStatement*> SqliteConnection::prepared(const char* sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return &known->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return last_error(connection_.get());
  }
  return &statements_.emplace(sql, SqliteStatement(connection_.get(), statement)).first->second;
}

Result<void> SqliteConnection::script(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return last_error(connection_.get());
}

bool SqliteConnection::primary_key_taken() const {
  return sqlite3_extended_errcode(connection_.get()) == SQLITE_CONSTRAINT_PRIMARYKEY;
}

std::int64_t SqliteConnection::changes() const {
  return sqlite3_changes64(connection_.get());
}

Result<std::string> SqliteConnection::value(const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &raw, nullptr) != SQLITE_OK)
    return last_error(connection_.get());
  const auto found =
      SqliteStatement(connection_.get(), raw).rows([](SqliteStatement& row) { return row.text_at(0); });
  if (!found) return found.error();
  return found->empty() ? std::string() : found->front();
}

Result<SqliteTransaction> SqliteTransaction::begin(SqliteConnection& connection) {
  const auto begin = connection.prepared("BEGIN IMMEDIATE");
  if (!begin) return begin.error();
  if (const auto begun = (*begin)->run(); !begun) return begun.error();
  return SqliteTransaction(connection);
}

SqliteTransaction::~SqliteTransaction() {
  // Fails when SQLite has rolled back by itself, which is as good.
  if (connection_ != nullptr) (void)connection_->script("ROLLBACK");
}

Result<void> SqliteTransaction::commit() {
  const auto commit = connection_->prepared("COMMIT");
  if (!commit) return commit.error();
  if (const auto committed = (*commit)->run(); !committed) return committed.error();
  connection_ = nullptr;
  return {};
}

}  // namespace seonchak
