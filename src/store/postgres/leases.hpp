#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.hpp"
#include "core/ports/store.hpp"
#include "store/postgres/pool.hpp"

namespace seonchak {

/// The store's leases on PostgreSQL: rows, so that they outlive whoever hangs. A holder also has a session
/// with an advisory lock that stands for its token: when the session is gone, so is the holder, and nobody
/// need wait for its silence. Not through a pooler that shares sessions. Safe from any thread.
class PostgresLeases {
 public:
  PostgresLeases(PostgresPool& pool, PostgresOptions options) : pool_(pool), options_(std::move(options)) {}

  /// Its holder is empty, too, when its session is gone.
  Result<LeaseRow> read(const std::string& name);
  Result<std::optional<std::int64_t>> take(const std::string& name, const LeaseRow& seen,
                                           const std::string& holder);
  Result<bool> beat(const std::string& name, std::int64_t token);
  Result<void> release(const std::string& name, std::int64_t token);

 private:
  using Session = std::unique_ptr<PostgresConnection>;
  using Tenure = std::pair<std::string, std::int64_t>;  // name, token

  Result<Session> open_session(const Tenure& tenure);
  void renew_session(const Tenure& tenure);
  void end_session(const Tenure& tenure);

  PostgresPool& pool_;
  const PostgresOptions options_;
  Mutex mutex_;
  std::map<Tenure, Session> sessions_ GUARDED_BY(mutex_);
};

}  // namespace seonchak
