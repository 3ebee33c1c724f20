#pragma once
#include <map>
#include <optional>
#include <string>

#include "base/mutex.hpp"
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
  mutable Mutex mutex_;
  std::map<std::string, LeaseRow> rows_ GUARDED_BY(mutex_);
};

}  // namespace seonchak
