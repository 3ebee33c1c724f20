#pragma once
#include <string>

namespace seonchak {

/// Keeps a file to one process, by an flock on "PATH-lock". A lock file of its own, because closing any
/// descriptor of a database file would drop SQLite's own locks. The kernel frees it when the process ends,
/// however it ends.
class FileLock {
 public:
  /// With `shared`, beside other shared ones. Throws StartupError when the lock cannot be taken.
  explicit FileLock(const std::string& path, bool shared = false);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace seonchak
