#pragma once
#include <atomic>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace seonchak {

/// A few threads for calls that block, and a bounded queue before them. Safe from any thread.
class BlockingPool {
 public:
  BlockingPool(unsigned threads, std::size_t queue_max) : queue_max_(queue_max), pool_(threads) {}

  /// False, and nothing is run, when the queue is full.
  template <class Task>
  bool try_run(Task task) {
    if (queued_.fetch_add(1) >= queue_max_) {
      queued_.fetch_sub(1);
      return false;
    }
    boost::asio::post(pool_, [this, task = std::move(task)]() mutable {
      queued_.fetch_sub(1);
      task();
    });
    return true;
  }

  /// Forgets what is queued and waits for what runs.
  void stop() {
    pool_.stop();
    pool_.join();
  }

 private:
  const std::size_t queue_max_;
  std::atomic<std::size_t> queued_{0};
  boost::asio::thread_pool pool_;
};

}  // namespace seonchak
