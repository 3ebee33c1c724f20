#include "sim/processes.hpp"

#include <algorithm>
#include <utility>

#include "base/failpoint.hpp"

namespace seonchak::sim {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds refusals_period{20};
constexpr milliseconds propagator_period{10};
constexpr milliseconds step_wait{30};
constexpr OutboxSweepOptions sweep{.coupons_per_look = 1,
                                   .period = milliseconds(200),
                                   .first_period = milliseconds(10),
                                   .round_min = milliseconds(300)};
constexpr milliseconds task_pause{1};
constexpr Micros stop_least = milliseconds(300);
constexpr Micros stop_most = milliseconds(2'500);
constexpr Micros stall_least = milliseconds(50);
constexpr Micros stall_most = milliseconds(1'600);

Relay make_relay(Actor& actor, Common& common, EventPublisher& publisher) {
  return Relay(common.gate, publisher, common.reader, common.watermarks, Environment::metrics(),
               common.health,
               {.leases = {.owner = actor.name(),
                           .ttl = milliseconds(300),
                           .period = milliseconds(60),
                           .hints_period = milliseconds(20),
                           .hints_period_unhurried = milliseconds(30),
                           .quiet = milliseconds(500),
                           .unusable_retry = milliseconds(500),
                           .sweep = sweep},
                .entries_max = 1 + actor.environment().random.below(4),
                .in_flight_events_max = 1 + actor.environment().random.below(8),
                .backoff = milliseconds(20)});
}

ConsumerOptions consumer_options(Random& random) {
  return {.batch_records_max = 1 + random.below(6),
          .backoff = {milliseconds(10), milliseconds(100), milliseconds(2'000)},
          .repair = {.period = milliseconds(150), .sweep = sweep},
          .bare = {}};
}

/// Steps a role for ever, each time when the step before has asked for it.
template <class Role>
[[noreturn]] void keep_stepping(Role& role) {
  while (true) {
    const milliseconds pause = role.step(step_wait);
    if (pause.count() > 0) ticker().sleep_for(std::min(pause, step_wait));
  }
}

std::string name_of_life(Actor& actor) {
  return actor.name() + '-' + std::to_string(++actor.environment().tokens);
}

RecoveryCoordinatorOptions recovery_options(Actor& actor) {
  RecoveryCoordinatorOptions options;
  options.look_period = times.recovery_period;
  options.retry = milliseconds(50);
  options.retry_max = milliseconds(400);
  options.job.recording_grace =
      actor.environment().plan.fails_over ? times.failover_grace : times.recording_grace;
  options.job.recorder_silence = recorder_silence;
  options.job.recorder_period = milliseconds(15);
  options.job.make_token = [&actor] { return "t" + std::to_string(++actor.environment().tokens); };
  options.tail.wait = milliseconds(15);
  options.tail.stall = milliseconds(3'000);
  options.late.period = milliseconds(100);
  options.late.retry = milliseconds(50);
  options.lease.silence = failpoint("no_takeover") ? milliseconds(1'000'000) : times.lease_silence;
  options.lease.look_period = milliseconds(150);
  options.lease.beat_period = milliseconds(150);
  options.lease.holder = name_of_life(actor);
  return options;
}

}  // namespace

void FiberLoop::post(std::function<void()> task) {
  tasks_.push_back(std::move(task));
  if (waiting_ != nullptr) actor_.environment().scheduler.wake(std::exchange(waiting_, nullptr));
}

void FiberLoop::after(milliseconds delay, std::function<void()> task) {
  actor_.environment().scheduler.after(delay, [this, life = life_, task = std::move(task)]() mutable {
    if (life->alive) post(std::move(task));
  });
}

void FiberLoop::run() {
  Scheduler& scheduler = actor_.environment().scheduler;
  while (true) {
    while (tasks_.empty()) {
      waiting_ = scheduler.current();
      scheduler.wait_to_be_woken();
    }
    actor_.wait_while_stopped();
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    actor_.travel();
    if (!actor_.faulty(actor_.environment().plan.stall_per_mille)) continue;
    actor_.environment().fault(FaultKind::stall_api_loop, actor_.name());
    scheduler.pause(actor_.environment().random.between(stall_least, stall_most));
  }
}

struct ActorClaims::Call {
  Actor& actor;
  ClaimBatch batch;
  ClaimHandler handler;
  std::shared_ptr<Life> life;
  std::shared_ptr<MemoryGate> gate;  // the connection it was sent on
  bool answered = false;
};

void ActorClaims::claim(ClaimBatch batch, ClaimHandler handler) {
  Environment& environment = actor_.environment();
  auto call = std::make_shared<Call>(
      Call{actor_, std::move(batch), std::move(handler), actor_.life(), actor_.gate()});
  environment.scheduler.after(environment.random.between(Micros(0), environment.plan.travel_max),
                              [this, call] { arrive(call); });
  environment.scheduler.after(times.gate_call_limit, [this, call] {
    answer(call, Error{Errc::unavailable, "simulated: no answer in time"});
  });
}

// Whether or not who asked still lives.
void ActorClaims::arrive(const std::shared_ptr<Call>& call) {
  // The actor outlives its lives; `this` does not.
  Actor& actor = call->actor;
  Environment& environment = actor.environment();
  if (actor.faulty(environment.plan.api_fail_per_mille)) {
    environment.fault(FaultKind::call_failed_before, "claim");
    return;
  }
  auto reply = call->gate->claim_now(call->batch);
  if (environment.tracing()) {
    std::string what = "claim " + call->batch.users.front() + " in " + to_string(call->batch.epoch);
    what += reply ? " sequence " + to_string(reply->claims.front().sequence) : ": " + reply.error().message;
    environment.note(actor.name(), what);
  }
  if (actor.faulty(environment.plan.api_fail_per_mille)) {
    environment.fault(FaultKind::call_failed_after, "claim");
    return;
  }
  if (actor.faulty(environment.plan.reply_loss_per_mille))
    return environment.fault(FaultKind::claim_reply_lost, actor.name());
  // It comes to the socket of a process that does not run.
  if (actor.faulty(environment.plan.stop_at_reply_per_mille))
    actor.stop_for(environment.random.between(stop_least, stop_most));
  environment.scheduler.after(environment.random.between(Micros(0), environment.plan.travel_max),
                              [this, call, reply = std::move(reply)] { answer(call, reply); });
}

void ActorClaims::answer(const std::shared_ptr<Call>& call, Result<ClaimReply> reply) {
  if (!call->life->alive || std::exchange(call->answered, true)) return;
  for (std::size_t i = 0; reply && i < reply->claims.size(); ++i) {
    Epoch& epoch = epochs_[{call->batch.coupon_id, call->batch.users[i], reply->claims[i].sequence}];
    epoch = std::max(epoch, reply->state.epoch);
  }
  loop_.post([call, reply = std::move(reply)] { call->handler(reply); });
}

Epoch ActorClaims::epoch_of(const std::string& coupon_id, const std::string& user_id,
                            Sequence sequence) const {
  const auto found = epochs_.find({coupon_id, user_id, sequence});
  return found == epochs_.end() ? 0 : found->second;
}

void Common::keep_catalog() {
  while (true) {
    (void)catalog.refresh();
    ticker().sleep_for(times.catalog_refresh_period);
  }
}

ApiActor::ApiActor(Environment& environment, const std::string& name)
    : Actor(environment, name,
            {FaultKind::crash_api, FaultKind::pause_api, environment.plan.api_crash_per_mille,
             environment.plan.api_fail_per_mille, 0}) {}

ApiActor::Objects::Objects(ApiActor& actor)
    : common(actor, Caller::api),
      propagator(common.store, common.gate, common.catalog, Environment::metrics(),
                 {.loosening_delay = times.loosening_delay,
                  .backoff_min = milliseconds(12),
                  .backoff_max = milliseconds(1'250),
                  .link_backoff_max = milliseconds(125)}),
      loop(actor),
      claims(actor, loop),
      waiters(loop, common.watermarks, {.timeout = milliseconds(300), .tick = milliseconds(20)}),
      refusals(common.gate, common.catalog, Environment::metrics(), {.lease = times.refusal_lease}),
      refusal_reader(refusals),
      issuer(loop, claims, common.reader, waiters, common.watermarks, unsaved_claims, refusal_reader,
             Environment::metrics(),
             {.fence_lease = actor.environment().plan.fails_over ? times.fence_lease : milliseconds(0),
              .answer_limit = times.answer_deadline}),
      recorder(common.store, common.catalog, unsaved_claims, name_of_life(actor)),
      recovery_store(actor, Caller::recovery),
      recovery_gate(actor, Caller::recovery),
      tail(actor),
      guard(recovery_store, recovery_gate, recovery_gate, common.catalog, unsaved_claims,
            {.renamed_max = milliseconds(1'500)}),
      recovery({recovery_store, recovery_gate, recovery_gate, recovery_gate, tail}, guard, common.catalog,
               common.health, Environment::metrics(), recovery_options(actor)),
      poller(common.gate, common.watermarks) {}

void ApiActor::open() {
  objects_ = std::make_unique<Objects>(*this);
  start([this] { objects_->loop.run(); });
  start([this] { objects_->common.keep_catalog(); });
  start([this] {
    while (true) {
      objects_->propagator.step(milliseconds(0));
      ticker().sleep_for(propagator_period);
    }
  });
  start([this] {
    while (true) {
      objects_->refusals.step(milliseconds(0));
      ticker().sleep_for(refusals_period);
    }
  });
  start([this] {
    while (true) ticker().sleep_for(std::max(task_pause, objects_->recovery.step()));
  });
  start([this] {
    while (true) {
      // Planted: somebody whose gate hangs records nothing in time.
      if (failpoint("record_after_gate") && !objects_->common.gate.check()) continue;
      ticker().sleep_for(objects_->recorder.step() ? task_pause : times.recorder_period);
    }
  });
  if (environment().plan.ack == Ack::gate) return;
  start([this] {
    while (true) objects_->poller.step();
  });
}

void ApiActor::note_answer(const std::string& coupon_id, const std::string& user_id,
                           const Result<IssueAnswer>& answer) {
  Environment& env = environment();
  if (env.tracing()) {
    env.note(name(), "answers " + user_id + ": " +
                         (answer ? std::string(to_string(answer->decision)) + " " +
                                       to_string(answer->sequence) + (answer->pending ? " pending" : "")
                                 : answer.error().message));
  }
  if (!answer || answer->sequence == 0) return;
  ++env.totals.promises;
  Ledger::Promise promise;
  promise.coupon_id = coupon_id;
  promise.user_id = user_id;
  promise.sequence = answer->sequence;
  promise.epoch = objects_->claims.epoch_of(coupon_id, user_id, answer->sequence);
  promise.reached_log = env.plan.ack != Ack::gate && !answer->pending;
  promise.pending = answer->pending;
  promise.told_by = life();
  env.ledger.promised(std::move(promise));
}

void ApiActor::request(const std::string& coupon_id, const std::string& user_id,
                       std::function<void(bool, Decision)> done) {
  environment().ledger.asked(coupon_id, user_id);
  if (!alive() || !objects_) return done(false, {});
  objects_->loop.post([this, coupon_id, user_id, done = std::move(done)] {
    const auto coupon = objects_->common.reader.find(coupon_id);
    if (!coupon || coupon->phase() == Phase::unopened) return done(false, {});
    objects_->issuer.issue(coupon_id, user_id, [=, this](Result<IssueAnswer> answer) {
      // As the HTTP connection does, last of all.
      if (answer && ticker().now() > answer->valid_until) answer = Error{Errc::unavailable, "late"};
      note_answer(coupon_id, user_id, answer);
      done(answer.has_value(), answer ? answer->decision : Decision::not_found);
    });
  });
}

RelayActor::RelayActor(Environment& environment, const std::string& name)
    : Actor(environment, name,
            {FaultKind::crash_relay, FaultKind::pause_relay, environment.plan.crash_per_mille,
             environment.plan.fail_per_mille, environment.plan.slow_per_mille}) {}

void RelayActor::open() {
  common_ = std::make_unique<Common>(*this);
  publisher_ = std::make_unique<ActorPublisher>(*this);
  relay_ = std::make_unique<Relay>(make_relay(*this, *common_, *publisher_));
  start([this] { common_->keep_catalog(); });
  start([this] { keep_stepping(*relay_); });
}

void RelayActor::close() {
  relay_.reset();
  publisher_.reset();
  common_.reset();
}

ConsumerActor::ConsumerActor(Environment& environment, const std::string& name)
    : Actor(environment, name,
            {FaultKind::crash_consumer, FaultKind::pause_consumer, environment.plan.crash_per_mille,
             environment.plan.fail_per_mille, environment.plan.slow_per_mille}) {}

void ConsumerActor::open() {
  common_ = std::make_unique<Common>(*this);
  log_ = std::make_unique<ActorConsumer>(*this);
  consumer_ = std::make_unique<Consumer>(*log_, common_->store, common_->gate, common_->gate, common_->reader,
                                         common_->watermarks, Environment::metrics(), common_->health,
                                         consumer_options(environment().random));
  start([this] { common_->keep_catalog(); });
  start([this] { keep_stepping(*consumer_); });
}

void ConsumerActor::close() {
  consumer_.reset();
  log_.reset();
  common_.reset();
}

}  // namespace seonchak::sim
