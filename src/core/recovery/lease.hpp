#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/ticker.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct LeaseOptions {
  std::string name;    ///< the lease's, the same in every process
  std::string holder;  ///< this object's: never the same twice, anywhere

  /// How long a holder may show no sign of life before another takes over.
  std::chrono::milliseconds silence{8'000};
  std::chrono::milliseconds look_period{500};  ///< how often one who waits looks
  std::chrono::milliseconds beat_period{500};  ///< how often a holder writes a sign of life, at most
};

/// Lets one process at a time do something, and relieves it when it hangs. No lock: a holder that was stopped
/// goes on until its next beat(), so whatever it writes must name the token, or an epoch, as a
/// compare-and-set.
///
/// Those who wait judge by their own clock whether the row has changed; no two clocks are compared. Slow is
/// not hung: a holder keeps the lease as long as none of its steps is silent for too long. One that lost it
/// is twice as patient with others, so two slow ones do not take it from each other for ever; until the lease
/// was free once, or its holder has shown no gap for a while.
///
/// Blocks on the store. Used from one thread.
class Lease {
 public:
  using TimePoint = Ticker::TimePoint;

  struct State {
    bool held = false;
    std::int64_t token = 0;  ///< of this tenure, while held
    TimePoint next{};        ///< when to come again at the latest, while it is wanted
  };

  Lease(Store& store, LeaseOptions options, Ticker& clock = ticker());

  /// Takes the lease if it is free or its holder is silent; beats if it is held. May be called at any time.
  State step();

  /// To be called after each bounded step of the work. False: the lease is lost, or was not held; stop at
  /// once.
  bool beat();

  /// Leaves it to whoever comes first.
  void release();

 private:
  void look();
  void take();
  void hold(std::int64_t token);
  void lose();

  Store& store_;
  const LeaseOptions options_;
  Ticker& clock_;

  bool held_ = false;
  std::int64_t token_ = 0;
  TimePoint last_beat_{};  // while held
  LeaseRow seen_;          // while not held
  std::optional<TimePoint> seen_since_;
  TimePoint no_gap_since_{};  // beats that were seen since have come quickly
  TimePoint next_look_{};
  std::chrono::milliseconds patience_;
};

}  // namespace seonchak
