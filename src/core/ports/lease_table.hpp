#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/ports/store.hpp"

namespace seonchak {

/// The leases of a store that has one process at a time: they need not outlive it. Safe from any thread.
class LeaseTable {
 public:
  LeaseRow read(const std::string& name) const;
  std::optional<std::int64_t> take(const std::string& name, const LeaseRow& seen, const std::string& holder);
  bool beat(const std::string& name, std::int64_t token);
  void release(const std::string& name, std::int64_t token);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, LeaseRow> rows_;  // guarded by mutex_
};

}  // namespace seonchak
