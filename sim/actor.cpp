#include "sim/actor.hpp"

#include <functional>
#include <utility>

namespace seonchak::sim {

namespace {

using std::chrono::milliseconds;

constexpr Micros slow_least = milliseconds(20);
constexpr Micros hang_least = milliseconds(100);
constexpr Micros hang_most = milliseconds(5'000);
constexpr Micros gate_hang_most = milliseconds(2'500);
constexpr Micros refused_for = milliseconds(150);
constexpr Micros row_held_most = milliseconds(400);
constexpr Micros recorder_hang_most = milliseconds(1'000);
constexpr Micros overtaken_most = milliseconds(6'000);
constexpr Micros overtaken_for_most = milliseconds(1'500);
constexpr Micros look_again_at_row = milliseconds(10);
constexpr Micros for_ever = std::chrono::minutes(10);  // longer than any schedule
constexpr unsigned hangs_for_good_per_mille = 60;
constexpr Micros restart_least = milliseconds(5);
constexpr Micros restart_most = milliseconds(250);
constexpr Micros look_again{500};
constexpr unsigned no_travel_per_mille = 350;  // the call returns before anybody else does anything

/// Up until whoever raised it goes on, or dies.
class Raised {
 public:
  explicit Raised(bool& flag) : flag_(flag) { flag_ = true; }
  ~Raised() { flag_ = false; }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  bool& flag_;
};

}  // namespace

Actor::Actor(Environment& environment, std::string name, Faults faults)
    : environment_(environment), name_(std::move(name)), faults_(faults), gate_(environment.gates.back()) {}

void Actor::begin() {
  process_ = std::make_unique<Process>();
  life_ = std::make_shared<Life>();
  alive_ = true;
  stopped_until_ = {};
  cut_until_ = {};
  open();
}

void Actor::crash() {
  if (!alive_) return;
  alive_ = false;
  life_->alive = false;
  life_->hinder(environment_.scheduler.now(), Ticker::TimePoint::max());
  environment_.fault(faults_.crash, name_);
  environment_.scheduler.after(Micros(0), [this] { begin_again_when_ended(); });
  environment_.scheduler.kill(*process_);
}

void Actor::end_for_good() {
  for_good_ = true;
  if (!std::exchange(alive_, false)) return;
  environment_.scheduler.kill(*process_);
}

void Actor::begin_again_when_ended() {
  if (for_good_) return;
  if (!ended()) return environment_.scheduler.after(look_again, [this] { begin_again_when_ended(); });
  close();
  environment_.scheduler.after(environment_.random.between(restart_least, restart_most), [this] {
    if (!for_good_) begin();
  });
}

void Actor::stop_for(Micros pause) {
  if (!alive_) return;
  environment_.fault(faults_.pause, name_);
  stopped_until_ = environment_.scheduler.now() + pause;
  life_->hinder(environment_.scheduler.now(), stopped_until_);
}

void Actor::cut_from_store_for(Micros duration) {
  if (!alive_) return;
  environment_.fault(FaultKind::cut_from_store, name_);
  cut_until_ = environment_.scheduler.now() + duration;
}

bool Actor::reaches_store() const {
  if (environment_.store_down) return false;
  return environment_.healed || cut_until_ <= environment_.scheduler.now();
}

void Actor::wait_while_stopped() {
  Scheduler& scheduler = environment_.scheduler;
  while (stopped_until_ > scheduler.now() && !environment_.healed)
    scheduler.pause(std::chrono::ceil<Micros>(stopped_until_ - scheduler.now()));
}

void Actor::hang(Caller caller) {
  if (caller != Caller::recovery || !faulty(environment_.plan.recovery_hang_per_mille)) return;
  environment_.fault(FaultKind::recovery_hung, name_);
  const bool for_good = environment_.plan.duel && !environment_.one_hangs_for_good &&
                        environment_.random.chance(hangs_for_good_per_mille);
  if (for_good) environment_.one_hangs_for_good = true;
  environment_.scheduler.pause(for_good ? for_ever : environment_.random.between(hang_least, hang_most));
}

// One at a time: somebody has to overtake. A write that is overtaken twice names an epoch that is long gone.
void Actor::be_overtaken(Caller caller, const std::string& coupon_id) {
  const unsigned per_mille = caller == Caller::recovery ? environment_.plan.overtaken_per_mille : 0;
  if (per_mille == 0 || environment_.one_is_overtaken || !faulty(per_mille)) return;
  environment_.fault(FaultKind::recovery_overtaken, name_);
  const Raised overtaken(environment_.one_is_overtaken);
  Scheduler& scheduler = environment_.scheduler;
  const auto deadline = scheduler.now() + overtaken_most;
  for (std::uint64_t times = 1 + environment_.random.below(2); times > 0; --times) {
    const Epoch settled = environment_.ledger.settled(coupon_id);
    while (environment_.ledger.settled(coupon_id) == settled && scheduler.now() < deadline &&
           !environment_.healed) {
      scheduler.pause(look_again_at_row);
    }
  }
  scheduler.pause(environment_.random.between(Micros(0), overtaken_for_most));
}

// Longer than the log stalls, as when one link is slow for both; not for so long that the lease is lost.
void Actor::wait_for_row(Caller caller) {
  const unsigned per_mille = caller == Caller::recovery ? environment_.plan.row_held_per_mille : 0;
  if (per_mille == 0 || !faulty(per_mille)) return;
  environment_.fault(FaultKind::row_held, name_);
  environment_.wait_for_log();
  environment_.scheduler.pause(environment_.random.between(hang_least, row_held_most));
}

// For a while, and others are not.
bool Actor::is_refused(const std::string& coupon_id) {
  const Plan& plan = environment_.plan;
  if (plan.refused_per_mille == 0 || environment_.healed) return false;
  const auto spell =
      static_cast<std::uint64_t>(environment_.scheduler.now().time_since_epoch() / refused_for);
  const std::uint64_t mixed = (plan.refused_pattern + spell) * 0x9e3779b97f4a7c15U +
                              std::hash<std::string>()(coupon_id) * 0xc2b2ae3d27d4eb4fU;
  if ((mixed >> 32U) % 1'000 >= plan.refused_per_mille) return false;
  environment_.fault(FaultKind::rows_refused, name_);
  return true;
}

// Within what a recovery waits for somebody who has announced himself.
void Actor::hang_as_recorder(Caller caller) {
  const unsigned per_mille = caller == Caller::recovery ? 0 : environment_.plan.recorder_hang_per_mille;
  if (per_mille == 0 || !faulty(per_mille)) return;
  environment_.fault(FaultKind::recorder_hung, name_);
  environment_.scheduler.pause(environment_.random.between(hang_least, recorder_hang_most));
}

void Actor::hang_at_gate(Caller caller) {
  if (caller == Caller::any || !faulty(environment_.plan.gate_hang_per_mille)) return;
  environment_.fault(FaultKind::gate_call_hung, name_);
  environment_.scheduler.pause(environment_.random.between(hang_least, gate_hang_most));
}

void Actor::travel() {
  Scheduler& scheduler = environment_.scheduler;
  Random& random = environment_.random;
  if (faulty(faults_.crash_per_mille)) crash();
  wait_while_stopped();
  if (faulty(faults_.slow_per_mille)) {
    environment_.fault(faults_.pause, name_);
    return scheduler.pause(random.between(slow_least, environment_.plan.slow_most));
  }
  if (random.chance(no_travel_per_mille)) return;
  scheduler.pause(random.between(Micros(0), environment_.plan.travel_max));
}

Error Actor::failed(const char* what, bool to_store, Ticker::TimePoint began, const char* why) {
  if (environment_.tracing()) trace_call(what, std::string("failed: ") + why);
  travel();
  if (to_store) life_->hinder(began, environment_.scheduler.now());
  return {Errc::unavailable, std::string("simulated: ") + why};
}

void Actor::trace_call(const char* what, const std::string& error) {
  environment_.note(name_, std::string(what) + (error.empty() ? "" : " -> " + error));
}

}  // namespace seonchak::sim
