#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/health.hpp"
#include "base/mutex.hpp"

namespace seonchak {

struct PartChecksOptions {
  std::chrono::milliseconds period{1'000};        ///< between two questions to a part
  std::chrono::milliseconds silent_after{3'500};  ///< without an answer for so long, a part is down
};

/// Asks each outside part whether it answers, on a thread of its own, and notes what it says in Health. What
/// hangs keeps nobody else waiting: note_silent() notes that it does.
class PartChecks {
 public:
  using Check = std::function<Result<void>()>;

  explicit PartChecks(Health& health, PartChecksOptions options = {});
  ~PartChecks();
  PartChecks(const PartChecks&) = delete;
  PartChecks& operator=(const PartChecks&) = delete;

  /// Begins to ask. `make` runs on the part's own thread, whose name is `thread_name` (see named_thread), and
  /// what it returns is called and destroyed there. Used from one thread.
  void add(std::string name, const char* thread_name, std::function<Check()> make);

  /// To be called again and again, from one thread: notes as down what has not answered for silent_after.
  void note_silent();

  /// Asks nobody any more; an answer that still comes is not noted. Does not wait.
  void stop();

  /// After stop(): waits for the questions under way.
  void join();

 private:
  struct Part {
    std::string name;
    std::thread thread{};
    Mutex mutex{};
    std::optional<std::chrono::steady_clock::time_point> asked_at
        GUARDED_BY(mutex){};  // none: it has answered
  };
  void ask(Part& part, const std::function<Check()>& make);

  Health& health_;
  const PartChecksOptions options_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace seonchak
