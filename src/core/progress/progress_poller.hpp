#pragma once
#include <chrono>

#include "core/ports/gate.hpp"
#include "core/progress/progress.hpp"

namespace seonchak {

/// Brings the progress that relays and consumers in other processes make to the requests that wait for it
/// here. Used from one thread.
class ProgressPoller {
 public:
  static constexpr std::chrono::milliseconds period{5};
  static constexpr std::chrono::milliseconds backoff{200};  ///< after an error of the gate

  ProgressPoller(Outbox& outbox, ProgressBoard& board) : outbox_(outbox), board_(board) {}

  /// Asks for the coupons somebody waits for, then sleeps one period.
  void step();

 private:
  Outbox& outbox_;
  ProgressBoard& board_;
};

}  // namespace seonchak
