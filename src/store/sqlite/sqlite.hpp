#pragma once
#include <memory>
#include <string>

#include "base/stop_deadline.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct SqliteOptions {
  std::string path;             ///< the database file, created when it is missing; its folder must exist
  int busy_timeout_ms = 5'000;  ///< how long a call waits for another program's lock on the file
  bool read_only = false;       ///< for a file that no server uses: nothing is created or brought up to date
  std::shared_ptr<StopDeadline> stop{};  ///< from then on no call waits for a lock; none: that has no end
};

/// Opens the file (WAL, synchronous=FULL: a committed transaction survives a power cut) and brings its schema
/// up to date. One server at a time: a lock on "PATH-lock" is held as long as the store lives, and ends with
/// the process. Read-only stores share the lock, and their writes fail. Throws StartupError.
///
/// Writes take turns on one connection; reads take turns on another and never wait for a commit.
/// update_coupon holds back other changes of coupons, but not save(), while `change` runs; a `change` that
/// changes coupons deadlocks. `change` cannot edit id, revision or created_at.
std::unique_ptr<Store> open_sqlite(const SqliteOptions& options);

}  // namespace seonchak
