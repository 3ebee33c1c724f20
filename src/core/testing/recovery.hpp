#pragma once
#include <memory>
#include <string>
#include <utility>

#include "core/claims/recorder.hpp"
#include "core/recovery/coordinator.hpp"
#include "core/recovery/guard.hpp"
#include "core/testing/issuer.hpp"

namespace seonchak {

/// Nothing is waited for, and nothing is put off.
inline RecoveryCoordinatorOptions impatient() {
  RecoveryCoordinatorOptions options;
  options.look_period = no_wait;
  options.retry = no_wait;
  options.retry_max = no_wait;
  options.job.recording_grace = no_wait;
  options.job.recorder_period = no_wait;
  options.late.period = no_wait;
  options.late.retry = no_wait;
  options.lease.look_period = no_wait;
  options.lease.beat_period = no_wait;
  return options;
}

/// What one process has to do with recovery, step by step. Its catalog is the one given.
struct RecoveryLife {
  RecoveryLife(Store& store, FaultyGate& gate, MemoryGate& memory_gate, EventLogTail& log, Catalog& catalog,
               UnsavedClaims& unsaved_claims, Health& health, Metrics& metrics,
               RecoveryCoordinatorOptions options, const std::string& name)
      : guard(store, gate, gate, catalog, unsaved_claims),
        recovery({store, gate, memory_gate, gate, log}, guard, catalog, health, metrics,
                 named(std::move(options), name)),
        recorder(store, catalog, unsaved_claims, name) {}

  void step() {
    while (recorder.step()) {
    }
    (void)recovery.step();
  }
  bool recovering() const { return recovery.recovering(); }

  Guard guard;
  RecoveryCoordinator recovery;
  Recorder recorder;

 private:
  static RecoveryCoordinatorOptions named(RecoveryCoordinatorOptions options, const std::string& name) {
    options.lease.holder = name;
    options.job.make_token = [name, count = std::make_shared<int>(0)] {
      return name + "-" + std::to_string(++*count);
    };
    return options;
  }
};

/// A process with a gate that can forget.
struct Recovering : Issuing {
  explicit Recovering(std::chrono::milliseconds grace = no_wait) : tail(log.tail()), options(impatient()) {
    options.job.recording_grace = grace;
  }

  /// Another process's, but for the catalog.
  std::unique_ptr<RecoveryLife> make_recovery(UnsavedClaims& knows) {
    return std::make_unique<RecoveryLife>(store, gate, memory_gate, *tail, catalog, knows, health, metrics,
                                          options, "process" + std::to_string(++lives_));
  }

  /// Asks for it and answers at once.
  std::string outcome(const std::string& coupon_id, const std::string& user_id) {
    ask(coupon_id, user_id);
    answer_all();
    return answers.empty() ? "no answer" : answers.back();
  }

  void sell(const std::string& coupon_id, int first, int end) {
    for (int i = first; i < end; ++i) {
      const std::string user = "u" + std::to_string(i);
      EXPECT_EQ(outcome(coupon_id, user), user + " issued " + std::to_string(i));
    }
  }

  void save_all() {
    RelayLife(*this, log).drain();
    ConsumerLife(*this, log).steps(5);
  }

  /// Until nothing is under way; false when that takes too many steps.
  bool recover(RecoveryLife& life) {
    for (int i = 0; i < 200; ++i) {
      life.step();
      (void)catalog.refresh();
      if (i > 2 && !life.recovering() && life.guard.suspect_count() == 0 && !has_late_claims()) return true;
    }
    return false;
  }

  bool has_late_claims() { return !sqlite->coupons_with_late_claims("", 1).value().empty(); }

  MemoryLog log;
  std::unique_ptr<EventLogTail> tail;
  RecoveryCoordinatorOptions options;

 private:
  int lives_ = 0;
};

}  // namespace seonchak
