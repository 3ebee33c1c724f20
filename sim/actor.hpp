#pragma once
#include <memory>
#include <string>

#include "sim/environment.hpp"

namespace seonchak::sim {

/// Which thread of a process makes a call, as far as that matters.
enum class Caller {
  any,
  api,       ///< its calls to the gate may hang
  recovery,  ///< so may these, and it may hang alone, as if stopped, for longer than its lease is left to it
};

/// A process that serves one role, dies, and begins anew with nothing but what the servers keep.
class Actor {
 public:
  struct Faults {
    FaultKind crash;
    FaultKind pause;
    unsigned crash_per_mille;
    unsigned fail_per_mille;
    unsigned slow_per_mille;
  };

  Actor(Environment& environment, std::string name, Faults faults);
  virtual ~Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  void begin();
  void crash();         ///< from outside of any fiber
  void end_for_good();  ///< from outside of any fiber
  void stop_for(Micros pause);
  void cut_from_store_for(Micros duration);
  void follow(std::shared_ptr<MemoryGate> gate) { gate_ = std::move(gate); }

  bool alive() const { return alive_; }
  bool ended() const { return process_->running == 0; }
  const std::string& name() const { return name_; }
  Environment& environment() { return environment_; }
  const std::shared_ptr<MemoryGate>& gate() const { return gate_; }
  const std::shared_ptr<Life>& life() const { return life_; }

  /// Makes a call of a port: it takes its time, may fail before or after its effect, or be the process's
  /// last.
  template <class Call>
  auto call(const char* what, bool to_store, Call effect) -> decltype(effect()) {
    const auto began = environment_.scheduler.now();
    const Noted noted(records(what) ? life_ : nullptr, environment_.scheduler, *process_);
    travel();
    if (to_store && !reaches_store()) return failed(what, to_store, began, "no connection");
    const bool fails = faulty(faults_.fail_per_mille);
    const bool after = fails && environment_.random.chance(500);
    if (fails && !after) {
      environment_.fault(FaultKind::call_failed_before, name_ + " " + what);
      return failed(what, to_store, began, "before");
    }
    auto result = effect();
    if (environment_.tracing()) trace_call(what, result.has_value() ? "" : result.error().message);
    travel();
    if (!after) return result;
    environment_.fault(FaultKind::call_failed_after, name_ + " " + what);
    return failed(what, to_store, began, "after");
  }

  /// The same for a call that cannot fail.
  void travel();

  /// While the process is stopped.
  void wait_while_stopped();

  /// The thread stands still for a while, if that is what the plan wants.
  void hang(Caller caller);

  /// A recovery's write that compares comes when others have settled the coupon, if that is what the plan
  /// wants: its thread hung right before it.
  void be_overtaken(Caller caller, const std::string& coupon_id);

  /// Somebody else holds the row that a recovery is about to change, if that is what the plan wants.
  void wait_for_row(Caller caller);
  bool is_refused(const std::string& coupon_id);

  /// The store is slow to take a piece of recorded_claims, if that is what the plan wants.
  void hang_as_recorder(Caller caller);

  /// A call to the gate that is not a claim takes long, if that is what the plan wants.
  void hang_at_gate(Caller caller);

  bool faulty(unsigned per_mille) { return !environment_.healed && environment_.random.chance(per_mille); }

 protected:
  virtual void open() = 0;   ///< makes the objects of a life and starts its fibers
  virtual void close() = 0;  ///< destroys them, once the fibers have ended
  void start(std::function<void()> body) { environment_.scheduler.start(*process_, std::move(body)); }

 private:
  /// Notes a call in a life, or nothing when there is none, for as long as it takes: waiting for a lock
  /// included. One in which the life ends does not end.
  class Noted {
   public:
    Noted(std::shared_ptr<Life> life, Scheduler& scheduler, const Process& process)
        : life_(std::move(life)),
          scheduler_(scheduler),
          process_(process),
          call_(life_ ? life_->began(scheduler.now()) : 0) {}
    ~Noted() {
      if (life_ && !process_.dying) life_->ended(call_, scheduler_.now());
    }
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;

   private:
    const std::shared_ptr<Life> life_;
    Scheduler& scheduler_;
    const Process& process_;
    const std::size_t call_;
  };

  /// The calls by which a process hears of a recovery and records: slow ones keep it from that.
  static bool records(std::string_view what) {
    return what == "coupons_since" || what == "record_unsaved" || what == "begin_recording";
  }
  bool reaches_store() const;
  Error failed(const char* what, bool to_store, Ticker::TimePoint began, const char* why);
  void trace_call(const char* what, const std::string& error);
  void begin_again_when_ended();

  Environment& environment_;
  const std::string name_;
  const Faults faults_;
  std::unique_ptr<Process> process_;
  std::shared_ptr<Life> life_;
  std::shared_ptr<MemoryGate> gate_;
  Ticker::TimePoint stopped_until_{};
  Ticker::TimePoint cut_until_{};
  bool alive_ = false;
  bool for_good_ = false;
};

}  // namespace seonchak::sim
