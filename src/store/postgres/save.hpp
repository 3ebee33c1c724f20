#pragma once
#include <atomic>

#include "core/ports/store.hpp"
#include "store/postgres/connection.hpp"

namespace seonchak {

/// Store::save on PostgreSQL. Events are nearly always new, and then a plain INSERT costs the server two
/// thirds of one that looks for conflicts. Only after a row that was there already, saves look for them for a
/// while: what comes once more rarely comes alone, and an INSERT that fails leaves its rows behind for the
/// vacuum. Safe from any thread, each with a connection of its own.
class PostgresSaver {
 public:
  Result<SaveOutcome> save(PostgresConnection& connection, const SaveBatch& batch);

 private:
  static constexpr int careful_saves_after_a_repeat = 100;

  std::atomic<int> careful_saves_{0};  // how many of the next ones look for conflicts
};

}  // namespace seonchak
