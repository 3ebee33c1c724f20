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

TEST(MutexLock, WaitsForACondition) {
  Box box;
  std::thread other([&] {
    for (int value = 1; value <= 2; ++value) {
      const MutexLock lock(box.mutex);
      box.value = value;
      box.wake.notify_one();
    }
  });
  MutexLock lock(box.mutex);
  const auto is = [&](int value) {
    return [&box, value]() REQUIRES(box.mutex) { return box.value == value; };
  };
  EXPECT_TRUE(lock.wait_for(box.wake, std::chrono::minutes(1), is(2)));
  EXPECT_FALSE(lock.wait_for(box.wake, std::chrono::milliseconds(1), is(3)));
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
