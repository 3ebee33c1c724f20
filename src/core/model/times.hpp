#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace seonchak {

/// Every time that a promise rests on. They are right or wrong together: the relations below say how, and a
/// build in which one does not hold does not compile. Whoever keeps one of them measures it with a steady
/// clock of its own, from a moment that it knows to lie before (a limit) or after (a delay) the event.
struct SafetyTimes {
  using Ms = std::chrono::milliseconds;

  /// A call to the gate is answered within this, or counts as lost: `unavailable`, and its connection ends.
  Ms gate_call_limit{1'000};

  /// Counted from when the call to the gate was sent: an answer that is ready later is not given any more,
  /// whatever held it up. Longer than gate_call_limit by what a busy loop needs to notice a reply.
  Ms answer_deadline{1'200};

  /// The longest that one call to the store takes (PostgresOptions). Longer than the graces, so nothing that
  /// must have happened within a grace may wait for a call that has not been announced before.
  Ms store_call_limit{25'000};

  /// How often a process asks the store for what has changed: coupons, their stock, their epoch.
  Ms catalog_refresh_period{250};

  /// How often a process looks at its gate, and goes on with a recovery.
  Ms recovery_period{250};

  /// How often a process writes down what it knows of coupons that are being recovered.
  Ms recorder_period{50};

  /// From the fence of a recovery to its union. By its end every live process has heard of the fence, has all
  /// the answers that the shut gate had given, and has written them down.
  Ms recording_grace{1'500};

  /// A process whose gate can fail over answers on a catalog younger than this only: cut off with the old
  /// master it would not hear of the fence.
  Ms fence_lease{1'500};

  /// The grace where a gate can fail over: who heard nothing has fallen silent, too.
  Ms failover_grace{2'000};

  /// A process refuses from memory on a catalog younger than this only.
  Ms refusal_lease{750};

  /// From a commit that may let somebody in to the gate's hearing of it: nobody refuses by what was before.
  Ms loosening_delay{800};

  /// The holder of a lease in the store whose beat has stood still for this long is taken to be hung.
  Ms lease_silence{8'000};

  /// From the last beat of a hung holder to another's first step.
  Ms takeover_limit{10'000};
};

inline constexpr SafetyTimes safety_times{};

/// The same proportions on another scale, for a simulation.
constexpr SafetyTimes scaled(const SafetyTimes& times, std::int64_t numerator, std::int64_t denominator) {
  const auto scale = [&](SafetyTimes::Ms time) { return time * numerator / denominator; };
  return {.gate_call_limit = scale(times.gate_call_limit),
          .answer_deadline = scale(times.answer_deadline),
          .store_call_limit = scale(times.store_call_limit),
          .catalog_refresh_period = scale(times.catalog_refresh_period),
          .recovery_period = scale(times.recovery_period),
          .recorder_period = scale(times.recorder_period),
          .recording_grace = scale(times.recording_grace),
          .fence_lease = scale(times.fence_lease),
          .failover_grace = scale(times.failover_grace),
          .refusal_lease = scale(times.refusal_lease),
          .loosening_delay = scale(times.loosening_delay),
          .lease_silence = scale(times.lease_silence),
          .takeover_limit = scale(times.takeover_limit)};
}

/// What the gate decided before it was shut is known, or given up, before the union: a call that was under
/// way at the fence ends within its limit, and what it answered is written down at the next look.
constexpr bool late_answers_are_recorded(const SafetyTimes& times) {
  return std::max(times.gate_call_limit, times.answer_deadline) + times.recovery_period <
         times.recording_grace;
}

/// A process that hears of the fence at its next refresh writes down what it knows before the union.
constexpr bool the_fence_is_heard_of(const SafetyTimes& times) {
  return times.catalog_refresh_period + times.recovery_period < times.recording_grace &&
         times.recorder_period <= times.recovery_period;
}

/// No reply that the gate still counts as good is thrown away for its deadline alone.
constexpr bool good_replies_are_in_time(const SafetyTimes& times) {
  return times.gate_call_limit <= times.answer_deadline;
}

/// Recordings have to be announced and waited for: the grace alone does not cover a slow store.
constexpr bool recordings_are_announced(const SafetyTimes& times) {
  return times.recording_grace < times.store_call_limit;
}

/// Who is cut off from the store stops answering, and what it answered last is written down if it is back by
/// then. A process that is well answers through three refreshes that fail.
constexpr bool the_cut_off_fall_silent(const SafetyTimes& times) {
  return times.fence_lease + times.recovery_period < times.failover_grace &&
         times.recording_grace <= times.failover_grace &&
         4 * times.catalog_refresh_period <= times.fence_lease;
}

/// Nobody refuses by what was before once somebody may be let in: neither by a change nor by the end of a
/// recovery. A process that is well refuses from memory through two refreshes that fail.
constexpr bool refusals_end_in_time(const SafetyTimes& times) {
  return times.refusal_lease < times.loosening_delay && times.refusal_lease < times.recording_grace &&
         3 * times.catalog_refresh_period <= times.refusal_lease;
}

/// Slow is not hung: a step between two beats may meet a few calls that run into their limit. And who is hung
/// is replaced in time, by somebody who looks once a period and whose first step takes a call.
constexpr bool only_the_hung_are_replaced(const SafetyTimes& times) {
  return 4 * times.gate_call_limit < times.lease_silence &&
         times.lease_silence + times.recovery_period + times.gate_call_limit <= times.takeover_limit;
}

constexpr bool hold_together(const SafetyTimes& times) {
  return late_answers_are_recorded(times) && the_fence_is_heard_of(times) &&
         good_replies_are_in_time(times) && recordings_are_announced(times) &&
         the_cut_off_fall_silent(times) && refusals_end_in_time(times) && only_the_hung_are_replaced(times);
}

static_assert(late_answers_are_recorded(safety_times));
static_assert(the_fence_is_heard_of(safety_times));
static_assert(good_replies_are_in_time(safety_times));
static_assert(recordings_are_announced(safety_times));
static_assert(the_cut_off_fall_silent(safety_times));
static_assert(refusals_end_in_time(safety_times));
static_assert(only_the_hung_are_replaced(safety_times));

}  // namespace seonchak
