#include "base/mutex.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

struct Box {
  Mutex mutex;
  std::condition_variable wake;
  int value GUARDED_BY(mutex) = 0;
};

TEST(MutexLock, WaitsUntilNotified) {
  Box box;
  std::thread other([&] {
    const MutexLock lock(box.mutex);
    box.value = 1;
    box.wake.notify_one();
  });
  MutexLock lock(box.mutex);
  while (box.value == 0) lock.wait_for(box.wake, std::chrono::seconds(1));
  EXPECT_EQ(box.value, 1);
  lock.unlock();
  other.join();
}

TEST(MutexLock, SaysThatNobodyNotified) {
  Box box;
  MutexLock lock(box.mutex);
  EXPECT_FALSE(lock.wait_for(box.wake, std::chrono::milliseconds(1)));
}

}  // namespace
}  // namespace seonchak
