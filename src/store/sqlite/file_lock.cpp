#include "store/sqlite/file_lock.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.hpp"

namespace seonchak {

namespace {

constexpr int lock_file_mode = 0600;

}  // namespace

FileLock::FileLock(const std::string& path, bool shared) {
  const std::string lock_path = path + "-lock";
  descriptor_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, lock_file_mode);
  if (descriptor_ < 0) {
    throw StartupError(
        "cannot create " + lock_path + ": " + std::generic_category().message(errno) +
        ": create its folder and let seonchak write there, or choose another path for the store");
  }
  if (flock(descriptor_, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return;
  const int reason = errno;
  close(descriptor_);
  if (reason != EWOULDBLOCK) {
    throw StartupError("cannot lock " + lock_path + ": " + std::generic_category().message(reason) +
                       ": put the store on a local file system");
  }
  throw StartupError(path +
                     " is in use by another seonchak: stop that one, or give this one a file of its own");
}

FileLock::~FileLock() {
  close(descriptor_);
}

}  // namespace seonchak
