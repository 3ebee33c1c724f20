#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "base/stop_deadline.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct PostgresOptions {
  /// A libpq connection URI, passed on as it is:
  /// "postgresql://user:password@host:5432/database?sslmode=require". With several hosts add
  /// target_session_attrs=read-write, or a standby may be taken for the primary.
  std::string url;
  std::size_t connections_max = 4;         ///< opened on demand, kept open
  int connection_wait_timeout_ms = 5'000;  ///< how long a call waits for a free connection
  int connect_timeout_s = 5;               ///< per host of the URI
  int statement_timeout_ms = 10'000;       ///< the server cancels a statement after this
  int commit_timeout_ms = 10'000;          ///< and a commit after this, which may wait for replicas
  /// How long a call waits for a row that somebody holds; a save is `busy` after it, any other call
  /// unavailable.
  int lock_timeout_ms = 2'000;
  /// The server ends a session of ours that says nothing inside a transaction for this long, and so frees the
  /// rows that a process which was stopped there holds. Longer than all that update_coupon's `change` waits
  /// for.
  int idle_in_transaction_timeout_ms = 5'000;
  int call_grace_ms = 5'000;             ///< a silent server is given up this long after the two before
  int peer_timeout_ms = 15'000;          ///< TCP gives up an unreachable server after this
  int check_timeout_ms = 3'000;          ///< all that Store::check() waits for
  bool read_only = false;                ///< the schema is not brought up to date, but must be
  std::shared_ptr<StopDeadline> stop{};  ///< none: no call is ever given up for it
};

/// Connects, checks the server (version 15 or later, UTF8) and brings its schema up to date.
/// Throws StartupError, never with the password in it.
///
/// A call uses one connection and, except for update_coupon, one round trip. update_coupon keeps its
/// connection, and the row's lock, while `change` runs; a `change` that calls the store takes a second
/// connection. `change` cannot edit id, revision or created_at. A server that answers nothing costs a call at
/// most connection_wait_timeout_ms + connect_timeout_s + the longer of statement_timeout_ms and
/// commit_timeout_ms + call_grace_ms, and nothing beyond the deadline of `stop`: a call under way then is
/// given up as if its connection were lost.
std::unique_ptr<Store> open_postgres(const PostgresOptions& options);

/// More connections to a database that open_postgres has opened already: nothing is checked, and the first
/// call connects. Throws nothing.
std::unique_ptr<Store> connect_postgres(const PostgresOptions& options);

}  // namespace seonchak
