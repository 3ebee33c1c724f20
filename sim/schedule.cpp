#include "sim/schedule.hpp"

#include <algorithm>

namespace seonchak::sim {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds rest_max{15'000};
constexpr milliseconds look_period{20};
constexpr milliseconds ask_again_after{1'000};
constexpr std::uint64_t events_max = 2'000'000;

}  // namespace

Schedule::Schedule(std::uint64_t seed, Totals& totals, bool trace) : environment_(seed, totals, trace) {
  for (int i = 0; i < environment_.plan.coupons; ++i) {
    Coupon coupon;
    coupon.id = std::string(1, static_cast<char>('a' + i));
    coupon.name = coupon.id;
    coupon.stock = environment_.plan.stock;
    coupon.ack = environment_.plan.ack;
    coupon.created_at = ticker().wall();
    coupons_.push_back(environment_.store.create_coupon(coupon).value().id);
  }
  for (const char* name : {"api1", "api2"}) {
    auto api = std::make_unique<ApiActor>(environment_, name);
    apis_.push_back(api.get());
    actors_.push_back(std::move(api));
  }
  for (const char* name : {"relay1", "relay2"})
    actors_.push_back(std::make_unique<RelayActor>(environment_, name));
  for (const char* name : {"consumer1", "consumer2"})
    consumers_.push_back(actors_.emplace_back(std::make_unique<ConsumerActor>(environment_, name)).get());
}

// A fiber is never abandoned: each unwinds first.
Schedule::~Schedule() {
  environment_.healed = true;
  for (const auto& actor : actors_) actor->end_for_good();
  const auto ended = [](const auto& actor) { return actor->ended(); };
  while (!std::ranges::all_of(actors_, ended) && environment_.scheduler.step()) {
  }
}

void Schedule::ask(std::size_t api, const std::string& coupon_id, const std::string& user_id) {
  apis_[api]->request(coupon_id, user_id, [=, this](bool answered, Decision) {
    Random& random = environment_.random;
    if (answered || !random.chance(600)) return;
    environment_.scheduler.after(random.between(milliseconds(10), milliseconds(200)),
                                 [=, this] { ask(environment_.random.below(2), coupon_id, user_id); });
  });
}

void Schedule::plan_requests() {
  Random& random = environment_.random;
  for (int i = 0; i < environment_.plan.requests; ++i) {
    const std::string& coupon = coupons_[random.below(coupons_.size())];
    const std::string user =
        "u" + std::to_string(random.below(static_cast<std::uint64_t>(environment_.plan.users)));
    environment_.scheduler.after(random.between(milliseconds(20), environment_.plan.active),
                                 [=, this] { ask(environment_.random.below(2), coupon, user); });
  }
}

// In a storm each is soon after the one before, often while that one is being made good.
void Schedule::plan_losses() {
  Random& random = environment_.random;
  const Plan& plan = environment_.plan;
  Micros when = random.between(milliseconds(60), plan.active / 2);
  for (int i = 0; i < plan.gate_losses; ++i) {
    if (!plan.storm) when = random.between(milliseconds(20), plan.active);
    environment_.scheduler.after(when, [this] {
      if (!environment_.healed) lose_gate();
    });
    when += random.between(milliseconds(20), milliseconds(plan.duel ? 3'500 : 1'200));
  }
}

void Schedule::plan_faults() {
  const Plan& plan = environment_.plan;
  const auto at_some_time = [&](int times, const std::function<void()>& what) {
    for (int i = 0; i < times; ++i) {
      environment_.scheduler.after(environment_.random.between(milliseconds(20), plan.active), [=, this] {
        if (!environment_.healed) what();
      });
    }
  };
  plan_losses();
  at_some_time(plan.gate_losses * 3, [this] { images_.push_back(environment_.gates.back()->image()); });
  at_some_time(plan.log_losses, [this] { lose_log(); });
  at_some_time(plan.rebalances, [this] {
    environment_.fault(FaultKind::rebalance, "");
    environment_.log.expel_a_member();
  });
  at_some_time(plan.api_pauses, [this] {
    apis_[environment_.random.below(2)]->stop_for(
        environment_.random.between(milliseconds(50), milliseconds(1'500)));
  });
  at_some_time(plan.api_cuts, [this] {
    apis_[environment_.random.below(2)]->cut_from_store_for(
        environment_.random.between(milliseconds(50), milliseconds(2'000)));
  });
  at_some_time(plan.store_outages, [this] {
    environment_.fault(FaultKind::store_down, "");
    environment_.store_down = true;
    environment_.scheduler.after(environment_.random.between(milliseconds(20), milliseconds(700)),
                                 [this] { environment_.store_down = false; });
  });
}

void Schedule::lose_gate() {
  const unsigned per_mille = environment_.plan.machine_loss_per_mille;
  per_mille > 0 && environment_.random.chance(per_mille) ? lose_machine() : break_gate();
}

// The log takes and hands out nothing, and then the gate is lost, and API processes with it: what was on its
// way comes late, and is read later still.
void Schedule::lose_machine() {
  Random& random = environment_.random;
  environment_.stall_log_for(random.between(milliseconds(400), milliseconds(1'200)));
  for (Actor* consumer : consumers_)
    consumer->stop_for(random.between(milliseconds(800), milliseconds(3'500)));
  environment_.scheduler.after(random.between(milliseconds(60), milliseconds(600)), [this] {
    if (environment_.healed) return;
    environment_.fault(FaultKind::machine_lost, "");
    const std::size_t survivor = environment_.random.below(4);
    for (std::size_t api = 0; api < apis_.size(); ++api) {
      if (api != survivor) apis_[api]->crash();
    }
    break_gate();
  });
}

void Schedule::break_gate() {
  if (environment_.plan.fails_over) return fail_over();
  Random& random = environment_.random;
  MemoryGate& gate = *environment_.gates.back();
  environment_.ledger.gate_lost();
  const auto kind = random.below(5);
  if (kind == 0) {
    environment_.fault(FaultKind::gate_restarted_empty, "");
    gate.restart_empty();
  } else if (kind == 1) {
    environment_.fault(FaultKind::gate_forgot_a_coupon, "");
    gate.forget(coupons_[random.below(coupons_.size())]);
  } else if (kind == 2) {
    environment_.fault(FaultKind::gate_forgot_holders, "");
    holders_forgotten_ = true;
    gate.forget_holders(coupons_[random.below(coupons_.size())]);
  } else if (kind == 3) {
    environment_.fault(FaultKind::gate_forgot_an_outbox, "");
    forget_outbox(gate, coupons_[random.below(coupons_.size())]);
  } else {
    environment_.fault(FaultKind::gate_set_back, "");
    gate.restart_with(images_.empty() ? gate.image() : images_[random.below(images_.size())]);
  }
}

// All of it, or some entries; but none that a recovery wrote, which only the readers of the log would miss.
void Schedule::forget_outbox(MemoryGate& gate, const std::string& coupon_id) {
  Random& random = environment_.random;
  if (random.below(2) == 0) return gate.forget_outbox(coupon_id);
  const auto progress = gate.progress({&coupon_id, 1}).front();
  if (!progress) return;
  constexpr std::int64_t sequences = 64;
  for (Sequence last = progress->rebuilt + 1; last <= progress->rebuilt + sequences; ++last) {
    if (random.below(3) == 0) gate.forget_outbox_entry(coupon_id, last);
  }
}

// A replica takes over, with what it has; who is connected to the old master finds out sooner or later.
void Schedule::fail_over() {
  Random& random = environment_.random;
  environment_.ledger.gate_lost();
  const bool back = environment_.plan.storm && environment_.gates.size() > 1 && random.chance(300);
  if (back) {
    // A former master, with what it had and was told meanwhile; a replica's history gets another name.
    environment_.fault(FaultKind::gate_failed_back, "");
    const auto former = environment_.gates[random.below(environment_.gates.size() - 1)];
    former->restart_with(former->image());
    environment_.gates.push_back(former);
  } else {
    environment_.fault(FaultKind::gate_failed_over, "");
    const auto image = images_.empty() || random.chance(500) ? environment_.gates.back()->image()
                                                             : images_[random.below(images_.size())];
    environment_.gates.push_back(environment_.new_gate());
    environment_.gates.back()->restart_with(image);
  }
  follow_master();
}

// Some are on the other side of a partition: with the old master, and perhaps without the store.
void Schedule::follow_master() {
  Random& random = environment_.random;
  const std::shared_ptr<MemoryGate> master = environment_.gates.back();
  for (const auto& actor : actors_) {
    const Micros late =
        random.chance(300) ? milliseconds(environment_.plan.storm ? 2'000 : 1'200) : milliseconds(80);
    const Micros delay = random.between(Micros(0), late);
    if (environment_.plan.storm && random.chance(300)) actor->cut_from_store_for(delay);
    environment_.scheduler.after(delay, [this, master, actor = actor.get()] {
      if (master == environment_.gates.back()) actor->follow(master);
    });
  }
}

void Schedule::lose_log() {
  environment_.fault(FaultKind::log_lost_with_its_process, "");
  for (const auto& actor : actors_) actor->crash();
  environment_.log.lose_everything();
}

void Schedule::heal() {
  environment_.healed = true;
  environment_.store_down = false;
  for (const auto& actor : actors_) actor->follow(environment_.gates.back());
  environment_.note("ALL", "no more faults");
  // Holders alone that are gone are missed when somebody asks, a holder at the latest.
  if (!holders_forgotten_) return;
  for (const auto& promise : environment_.ledger.promises()) {
    environment_.scheduler.after(ask_again_after,
                                 [this, coupon_id = promise.coupon_id, user_id = promise.user_id] {
                                   ask(environment_.random.below(2), coupon_id, user_id);
                                 });
  }
}

bool Schedule::coupon_at_rest(const std::string& id) {
  const auto row = environment_.store.coupon(id);
  MemoryGate& gate = *environment_.gates.back();
  if (!row->is_open() || row->gate != gate.identity(id)->name()) return false;
  const auto state = gate.state(id);
  if (!state || state->epoch != row->epoch || state->issued < state->counted) return false;
  if (!gate.progress({&id, 1}).front()) return false;  // it has lost a part, and nobody has noticed yet
  // Holders and outbox may be lost together: then both say nothing of what the log still has.
  if (state->persisted < state->sequence) return false;
  const Watermark all{id, 0, state->epoch};
  if (!gate.read({&all, 1}, 1, milliseconds(0)).value().entries.empty()) return false;
  if (!environment_.store.late_claims(id, {}, 1).value().empty()) return false;
  const auto rows = environment_.store.holders(id, 0, 1'000).value();
  return static_cast<std::int64_t>(rows.size()) == state->issued;
}

std::string Schedule::state_of(const std::string& id) {
  const auto row = environment_.store.coupon(id);
  MemoryGate& gate = *environment_.gates.back();
  std::string text = "coupon " + id + ": epoch " + to_string(row->epoch) + " settled " +
                     to_string(row->settled) + " on " + row->gate + ", master " + gate.identity(id)->name() +
                     ", rows";
  const auto rows = environment_.store.holders(id, 0, 1'000).value();
  for (const Holder& holder : rows) text += " " + holder.user_id + "=" + to_string(holder.sequence);
  const auto state = gate.state(id);
  if (!state) return text + "; gate: " + state.error().message;
  return text + "; gate: epoch " + to_string(state->epoch) + " sequence " + to_string(state->sequence) +
         " published " + to_string(state->published) + " persisted " + to_string(state->persisted) +
         " holders " + std::to_string(state->issued);
}

bool Schedule::at_rest() {
  for (const auto& actor : actors_) {
    if (!actor->alive()) return false;
  }
  for (const ApiActor* api : apis_) {
    if (!api->idle()) return false;
  }
  return std::ranges::all_of(coupons_, [this](const std::string& id) { return coupon_at_rest(id); });
}

void Schedule::run_for(Micros duration) {
  bool over = false;
  environment_.scheduler.after(duration, [&over] { over = true; });
  while (!over && environment_.scheduler.events() < events_max && environment_.scheduler.step()) {
  }
}

bool Schedule::run_until_rest() {
  const auto deadline = environment_.scheduler.now() + rest_max;
  while (!at_rest()) {
    if (environment_.scheduler.now() > deadline || environment_.scheduler.events() >= events_max)
      return false;
    run_for(look_period);
  }
  return true;
}

std::vector<std::string> Schedule::play() {
  std::vector<std::string> wrong;
  for (const auto& actor : actors_) actor->begin();
  plan_requests();
  plan_faults();
  run_for(environment_.plan.active);
  heal();
  if (!run_until_rest()) wrong.push_back("it did not come to rest");
  // Everybody who was promised a coupon asks again.
  const auto promises = environment_.ledger.promises();
  for (const auto& promise : promises) ask(environment_.random.below(2), promise.coupon_id, promise.user_id);
  run_for(milliseconds(400));
  if (wrong.empty() && !run_until_rest())
    wrong.push_back("it did not come to rest after everybody asked again");
  check(wrong);
  if (!wrong.empty()) {
    for (const std::string& id : coupons_) wrong.push_back(state_of(id));
  }
  environment_.totals.events += environment_.scheduler.events();
  return wrong;
}

}  // namespace seonchak::sim
