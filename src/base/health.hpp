#pragma once
#include <map>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"

namespace seonchak {

/// Which of the process's dependencies answer, for /readyz. Safe from any thread.
class Health {
 public:
  struct Dependency {
    bool up = false;
    std::string detail;  ///< what went wrong, when down
  };

  /// Notes the outcome of a check; a change of state is logged. Two threads that note the same name at once
  /// may log in the other order.
  void note(const std::string& name, const Result<void>& checked) {
    const bool up = checked.has_value();
    if (!exchange(name, {up, up ? "" : checked.error().message})) return;
    if (up) {
      log::info("dependency is back", {{"name", name}});
    } else {
      log::error("dependency is down", {{"name", name}, {"why", checked.error().message}});
    }
  }

  std::map<std::string, Dependency> dependencies() const {
    const MutexLock lock(mutex_);
    return dependencies_;
  }

 private:
  /// Whether that changes what was known.
  bool exchange(const std::string& name, Dependency noted) {
    const MutexLock lock(mutex_);
    Dependency& dependency = dependencies_[name];
    const bool known = !dependency.detail.empty() || dependency.up;
    const bool changes = known && noted.up != dependency.up;
    dependency = std::move(noted);
    return changes;
  }

  mutable Mutex mutex_;
  std::map<std::string, Dependency> dependencies_ GUARDED_BY(mutex_);
};

}  // namespace seonchak
