#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/stop_deadline.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace seonchak {

/// A prepared statement. Parameters are bound in order, by calls in order; texts must live until the last
/// step.
class SqliteStatement {
 public:
  SqliteStatement(sqlite3* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}

  SqliteStatement& text(std::string_view value);
  SqliteStatement& integer(std::int64_t value);
  SqliteStatement& time(std::optional<Time> value);

  /// True: there is a row to read. False: it is done. When it is done, or has failed, it is also reset.
  Result<bool> step();

  /// Steps to the end, for a statement without rows, or whose rows do not matter.
  Result<void> run();

  /// Steps to the end and returns read(statement) of every row.
  template <class Read>
  auto rows(Read read) -> Result<std::vector<decltype(read(std::declval<SqliteStatement&>()))>> {
    std::vector<decltype(read(*this))> found;
    for (;;) {
      const auto row = step();
      if (!row) return row.error();
      if (!*row) return found;
      found.push_back(read(*this));
    }
  }

  std::string text_at(int column) const;
  std::int64_t integer_at(int column) const;
  Time time_at(int column) const;
  std::optional<Time> optional_time_at(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  void reset();

  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

/// One connection to a file, used by one thread at a time.
class SqliteConnection {
 public:
  /// A file that is missing is created, unless `read_only`. Waits for another program's lock for
  /// busy_timeout_ms, and not beyond `stop`, if there is one. Throws StartupError.
  SqliteConnection(const std::string& path, int busy_timeout_ms, bool read_only = false,
                   std::shared_ptr<StopDeadline> stop = {});

  /// The statement of this text, prepared once. Errors: unavailable, when the file cannot be read.
  Result<SqliteStatement*> prepared(const char* sql);

  /// Runs several statements without parameters.
  Result<void> script(const std::string& sql);

  /// Whether the last failure was a row that exists already by its primary key.
  bool primary_key_taken() const;

  /// Rows changed by the last INSERT or UPDATE.
  std::int64_t changes() const;

  /// The first column of the first row, as text; empty when there is none.
  Result<std::string> value(const char* sql);

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  struct LockWait {
    std::chrono::milliseconds most;
    std::shared_ptr<StopDeadline> stop;
    std::chrono::steady_clock::time_point began{};
  };
  static int wait_for_lock(void* lock_wait, int waits_before);

  std::unique_ptr<LockWait> lock_wait_;  // before the connection, which points to it
  std::unique_ptr<sqlite3, Close> connection_;
  std::unordered_map<std::string_view, SqliteStatement> statements_;  ///< by their text, which is a literal
};

/// BEGIN IMMEDIATE; rolled back at the end of its life unless committed.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> begin(SqliteConnection& connection);
  SqliteTransaction(SqliteTransaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();

  /// Errors: unavailable; nothing was committed then.
  Result<void> commit();

 private:
  explicit SqliteTransaction(SqliteConnection& connection) : connection_(&connection) {}
  SqliteConnection* connection_;
};

}  // namespace seonchak
