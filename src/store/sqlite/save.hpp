#pragma once
#include "core/ports/store.hpp"
#include "store/sqlite/connection.hpp"

namespace seonchak {

/// Store::save on this connection, in a transaction of its own.
Result<SaveOutcome> save_batch(SqliteConnection& writer, const SaveBatch& batch);

}  // namespace seonchak
