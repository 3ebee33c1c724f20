#pragma once
#include <memory>
#include <string>

#include "base/error.hpp"
#include "core/ports/store.hpp"
#include "store/postgres.hpp"

namespace seonchak {

/// A session-level advisory lock on a connection of its own, so that the server gives it up with the
/// connection. Nothing while another session has it. Not through a pooler that shares sessions.
Result<std::unique_ptr<StoreLock>> try_postgres_lock(const PostgresOptions& options, const std::string& name);

}  // namespace seonchak
