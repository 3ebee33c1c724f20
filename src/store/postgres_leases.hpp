#pragma once
#include <optional>
#include <string>

#include "core/ports/store.hpp"
#include "store/postgres_pool.hpp"

namespace seonchak {

/// The store's leases on PostgreSQL: rows, so that they outlive whoever hangs. Each call is one round trip.
/// Safe from any thread.
class PostgresLeases {
 public:
  explicit PostgresLeases(PostgresPool& pool) : pool_(pool) {}

  Result<LeaseRow> read(const std::string& name);
  Result<std::optional<std::int64_t>> take(const std::string& name, const LeaseRow& seen,
                                           const std::string& holder);
  Result<bool> beat(const std::string& name, std::int64_t token);
  Result<void> release(const std::string& name, std::int64_t token);

 private:
  PostgresPool& pool_;
};

}  // namespace seonchak
