#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "core/model/coupon.hpp"
#include "sim/scheduler.hpp"

namespace seonchak::sim {

/// What can go wrong in a schedule; counted by these names.
enum class FaultKind {
  call_failed_before,
  call_failed_after,
  crash_api,
  crash_relay,
  crash_consumer,
  pause_api,
  pause_relay,
  pause_consumer,
  stall_api_loop,
  cut_from_store,
  claim_reply_lost,
  gate_restarted_empty,
  gate_forgot_a_coupon,
  gate_forgot_holders,
  gate_forgot_an_outbox,
  gate_set_back,
  gate_failed_over,
  gate_failed_back,
  publisher_lost_its_queue,
  sent_by_the_dead,
  rebalance,
  store_down,
  recovery_hung,
  gate_call_hung,
  log_lost_with_its_process,
  recovery_overtaken,
  recorder_hung,
  machine_lost,
  log_stalled,
  row_held,
  rows_refused,
  count,
};
inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(FaultKind::count);
std::string_view to_string(FaultKind kind);

/// Which faults a schedule has, and how many: drawn once, so that some schedules have many of one kind and
/// others none.
struct Plan {
  explicit Plan(Random& random);

  bool storm = false;  ///< losses of the gate close together, while what is under way takes long

  bool duel = false;  ///< a storm in which recoveries hang for so long that others take over

  int coupons = 1;
  int partitions = 1;
  std::int64_t stock = 3;
  Ack ack = Ack::gate;
  int users = 6;
  int requests = 12;
  Micros active{};              ///< how long requests and faults go on
  Micros travel_max{};          ///< a call's way to its server, and back
  unsigned slow_per_mille = 0;  ///< of relays' and consumers' calls take much longer
  Micros slow_most{};           ///< then it takes up to this
  unsigned fail_per_mille = 0;  ///< of relays' and consumers' calls
  unsigned api_fail_per_mille = 0;
  unsigned crash_per_mille = 0;  ///< at a call of a relay or consumer
  unsigned api_crash_per_mille = 0;
  int api_pauses = 0;
  unsigned stop_at_reply_per_mille =
      0;                         ///< of claims that were decided: the API process stops before it hears
  unsigned stall_per_mille = 0;  ///< of an API process's loop between two of its tasks
  unsigned recovery_hang_per_mille = 0;  ///< of the calls of an API process's recovery: only that thread
  unsigned gate_hang_per_mille = 0;      ///< of API processes' calls to the gate, claims aside
  unsigned overtaken_per_mille = 0;      ///< of a recovery's writes that compare: another recovers first
  unsigned recorder_hang_per_mille =
      0;  ///< of a process's pieces of recorded_claims: after it has announced them
  unsigned machine_loss_per_mille = 0;  ///< of the gate's losses: API processes die, and the log stalls
  unsigned row_held_per_mille = 0;      ///< of fences: somebody else holds the row for a while
  unsigned refused_per_mille = 0;       ///< of times and coupons: the store takes no rows of a consumer
  std::uint64_t refused_pattern = 0;    ///< which
  int api_cuts = 0;                     ///< an API process cannot reach the store for a while
  unsigned reply_loss_per_mille = 0;    ///< of claims that were decided
  int gate_losses = 0;
  bool fails_over = false;  ///< a gate with replicas: a loss is a failover, and two masters may be up
  bool log_is_durable = true;
  int log_losses = 0;
  unsigned publisher_loss_per_mille = 0;
  int rebalances = 0;
  int store_outages = 0;

 private:
  void brew(Random& random);
  void let_recoveries_hang(Random& random);
  void let_recoveries_be_overtaken(Random& random);
};

}  // namespace seonchak::sim
