#pragma once
#include <chrono>

#include "core/ports/gate.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

/// Brings the progress that relays and consumers in other processes make to the requests that wait for it
/// here. Used from one thread.
class ProgressPoller {
 public:
  static constexpr std::chrono::milliseconds period{5};
  static constexpr std::chrono::milliseconds backoff{200};  ///< after an error of the gate

  ProgressPoller(Outbox& outbox, Watermarks& watermarks) : outbox_(outbox), watermarks_(watermarks) {}

  /// Asks for the coupons somebody waits for, then sleeps one period.
  void step();

 private:
  Outbox& outbox_;
  Watermarks& watermarks_;
};

}  // namespace seonchak
