#pragma once
#include <condition_variable>
#include <mutex>
#include <utility>

// What clang checks of locks: -Wthread-safety (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html), which
// `dev check` turns on. Other compilers see nothing.
#ifdef __clang__
#define SEONCHAK_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define SEONCHAK_THREAD_ANNOTATION(x)
#endif

/// A member that may be touched only while that mutex is held.
#define GUARDED_BY(mutex) SEONCHAK_THREAD_ANNOTATION(guarded_by(mutex))
/// A function whose caller holds these mutexes.
#define REQUIRES(...) SEONCHAK_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
/// A function whose caller must not hold these mutexes, because it takes them.
#define EXCLUDES(...) SEONCHAK_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace seonchak {

/// A std::mutex that clang knows to be one.
class SEONCHAK_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() SEONCHAK_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() SEONCHAK_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a Mutex for as long as it lives, except between unlock() and lock() and inside a wait.
class SEONCHAK_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SEONCHAK_THREAD_ANNOTATION(acquire_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~MutexLock() SEONCHAK_THREAD_ANNOTATION(release_capability()) = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() SEONCHAK_THREAD_ANNOTATION(release_capability()) { lock_.unlock(); }
  void lock() SEONCHAK_THREAD_ANNOTATION(acquire_capability()) { lock_.lock(); }

  /// Waits until somebody notifies, or for `duration`; spurious returns are possible, so the caller looks
  /// again in a loop. Returns false when the time is over.
  template <class Duration>
  bool wait_for(std::condition_variable& wake, Duration duration) {
    return wake.wait_for(lock_, duration) == std::cv_status::no_timeout;
  }

  /// Waits until `done` says so, or for `duration`; returns what it said last. It runs with the mutex held:
  /// as a lambda that looks at guarded members it is declared with REQUIRES.
  template <class Duration, class Done>
  bool wait_for(std::condition_variable& wake, Duration duration, Done done) {
    return wake.wait_for(lock_, duration, std::move(done));
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace seonchak
