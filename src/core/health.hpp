#pragma once
#include <map>
#include <mutex>
#include <string>

#include "base/error.hpp"
#include "base/log.hpp"

namespace seonchak {

/// Which of the process's dependencies answer, for /readyz. Safe from any thread.
class Health {
 public:
  struct Dependency {
    bool up = false;
    std::string detail;  ///< what went wrong, when down
  };

  /// Notes the outcome of a check; a change of state is logged.
  void note(const std::string& name, const Result<void>& checked) {
    const std::lock_guard lock(mutex_);
    Dependency& dependency = dependencies_[name];
    const bool known = !dependency.detail.empty() || dependency.up;
    const bool up = checked.has_value();
    if (known && up != dependency.up) {
      if (up) {
        log::info("dependency is back", {{"name", name}});
      } else {
        log::error("dependency is down", {{"name", name}, {"why", checked.error().message}});
      }
    }
    dependency = {up, up ? "" : checked.error().message};
  }

  std::map<std::string, Dependency> dependencies() const {
    const std::lock_guard lock(mutex_);
    return dependencies_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Dependency> dependencies_;  // guarded by mutex_
};

}  // namespace seonchak
