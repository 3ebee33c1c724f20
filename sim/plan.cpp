#include "sim/plan.hpp"

namespace seonchak::sim {

using std::chrono::milliseconds;

namespace {

constexpr unsigned storm_per_mille = 300;
constexpr unsigned duel_per_mille = 250;        // of storms
constexpr unsigned overtaking_per_mille = 300;  // of the other storms

}  // namespace

std::string_view to_string(FaultKind kind) {
  static constexpr std::array<std::string_view, fault_kinds> names = {"call_failed_before",
                                                                      "call_failed_after",
                                                                      "crash_api",
                                                                      "crash_relay",
                                                                      "crash_consumer",
                                                                      "pause_api",
                                                                      "pause_relay",
                                                                      "pause_consumer",
                                                                      "stall_api_loop",
                                                                      "cut_from_store",
                                                                      "claim_reply_lost",
                                                                      "gate_restarted_empty",
                                                                      "gate_forgot_a_coupon",
                                                                      "gate_forgot_holders",
                                                                      "gate_forgot_an_outbox",
                                                                      "gate_set_back",
                                                                      "gate_failed_over",
                                                                      "gate_failed_back",
                                                                      "publisher_lost_its_queue",
                                                                      "sent_by_the_dead",
                                                                      "rebalance",
                                                                      "store_down",
                                                                      "recovery_hung",
                                                                      "gate_call_hung",
                                                                      "log_lost_with_its_process",
                                                                      "recovery_overtaken",
                                                                      "recorder_hung",
                                                                      "machine_lost",
                                                                      "log_stalled",
                                                                      "row_held",
                                                                      "rows_refused"};
  return names[static_cast<std::size_t>(kind)];
}

// Recoveries close together, and what each of them has to outlast: calls that are under way for longer than a
// recovery takes, answers that reach nobody, threads and links that hang.
void Plan::brew(Random& random) {
  const auto up_to = [&](unsigned most) { return static_cast<unsigned>(random.below(most)); };
  active = random.between(milliseconds(1'200), milliseconds(2'800));
  requests *= 2;
  gate_losses = 2 + static_cast<int>(random.below(3));
  fails_over = random.chance(400);
  slow_per_mille = up_to(90);
  slow_most = milliseconds(2'400);
  stall_per_mille = random.chance(500) ? up_to(60) : 0;
  reply_loss_per_mille = random.chance(600) ? up_to(300) : 0;
  crash_per_mille = random.chance(600) ? up_to(40) : 0;
  stop_at_reply_per_mille = random.chance(400) ? up_to(120) : 0;
  recovery_hang_per_mille = random.chance(500) ? up_to(40) : 0;
  gate_hang_per_mille = random.chance(300) ? up_to(40) : 0;
  api_cuts = random.chance(300) ? 1 : 0;
  api_pauses = random.chance(400) ? 1 + static_cast<int>(random.below(2)) : 0;
}

// Long enough that another takes over, recovers, and perhaps a third time, before the first goes on.
void Plan::let_recoveries_hang(Random& random) {
  duel = true;
  active = random.between(milliseconds(4'000), milliseconds(9'000));
  requests *= 2;
  recovery_hang_per_mille = 20 + static_cast<unsigned>(random.below(130));
}

// What a recovery writes last of all is written when another has long opened the coupon, and users came.
void Plan::let_recoveries_be_overtaken(Random& random) {
  active = random.between(milliseconds(4'000), milliseconds(9'000));
  requests *= 2;
  recovery_hang_per_mille = 0;
  overtaken_per_mille = 50 + static_cast<unsigned>(random.below(250));
}

Plan::Plan(Random& random) {
  const auto some = [&](unsigned per_mille, int most) {
    return random.chance(per_mille) ? 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(most)))
                                    : 0;
  };
  const auto rate = [&](unsigned per_mille, unsigned most) {
    return random.chance(per_mille) ? static_cast<unsigned>(random.below(most)) : 0U;
  };
  coupons = random.chance(200) ? 2 : 1;
  partitions = random.chance(200) ? 2 : 1;
  stock = 1 + static_cast<std::int64_t>(random.below(8));
  ack = random.chance(700) ? Ack::gate : random.chance(500) ? Ack::log : Ack::store;
  users = static_cast<int>(stock) + 1 + static_cast<int>(random.below(4));
  requests = users + static_cast<int>(random.below(12));
  active = random.between(milliseconds(300), milliseconds(1'500));
  travel_max = random.between(Micros(50), milliseconds(8));
  slow_per_mille = rate(600, 40);
  fail_per_mille = rate(500, 120);
  api_fail_per_mille = rate(300, 80);
  crash_per_mille = rate(500, 15);
  api_crash_per_mille = rate(250, 6);
  api_pauses = some(120, 2);
  recovery_hang_per_mille = rate(250, 30);
  gate_hang_per_mille = rate(200, 20);
  log_is_durable = !random.chance(150);
  gate_losses = log_is_durable ? some(600, 3) : 0;
  fails_over = gate_losses > 0 && random.chance(400);
  log_losses = log_is_durable ? 0 : some(800, 2);
  publisher_loss_per_mille = rate(400, 100);
  rebalances = some(300, 4);
  store_outages = some(200, 2);
  slow_most = milliseconds(900);
  // Of what is drawn already: these draw nothing, then or later.
  refused_pattern =
      static_cast<std::uint64_t>(active.count()) * 1'000'003 + static_cast<std::uint64_t>(travel_max.count());
  refused_per_mille = refused_pattern % 2 == 0 ? 100 + refused_pattern % 400 : 0;
  storm = log_is_durable && random.chance(storm_per_mille);
  if (storm) brew(random);
  if (storm && random.chance(duel_per_mille)) let_recoveries_hang(random);
  if (!storm) return;
  if (!duel && random.chance(overtaking_per_mille)) let_recoveries_be_overtaken(random);
  recorder_hang_per_mille = rate(300, 500);
  machine_loss_per_mille = rate(600, 1'000);
  row_held_per_mille = machine_loss_per_mille > 0 ? rate(900, 1'000) : 0;
}

}  // namespace seonchak::sim
