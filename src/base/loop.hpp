#pragma once
#include <chrono>
#include <functional>

namespace seonchak {

/// The event loop of one thread, as core/ sees it: http/ runs it on Asio, tests run it by hand.
class Loop {
 public:
  virtual ~Loop() = default;

  /// Runs `task` on the loop's thread, soon. Safe from any thread.
  virtual void post(std::function<void()> task) = 0;

  /// Runs `task` on the loop's thread once `delay` has passed. Only from the loop's own thread.
  virtual void after(std::chrono::milliseconds delay, std::function<void()> task) = 0;
};

}  // namespace seonchak
