#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "base/loop.hpp"
#include "core/admission/issuer.hpp"
#include "core/catalog/catalog.hpp"
#include "core/catalog/propagator.hpp"
#include "core/chain/consumer.hpp"
#include "core/chain/relay.hpp"
#include "core/claims/recorder.hpp"
#include "core/claims/unsaved_claims.hpp"
#include "core/progress/progress_poller.hpp"
#include "core/recovery/coordinator.hpp"
#include "core/recovery/guard.hpp"
#include "sim/ports.hpp"

namespace seonchak::sim {

/// The event loop of an API process, run by a fiber.
class FiberLoop final : public Loop {
 public:
  explicit FiberLoop(Actor& actor) : actor_(actor), life_(actor.life()) {}
  void post(std::function<void()> task) override;
  void after(std::chrono::milliseconds delay, std::function<void()> task) override;
  void run();

 private:
  Actor& actor_;
  const std::shared_ptr<Life> life_;
  std::deque<std::function<void()>> tasks_;
  Fiber* waiting_ = nullptr;
};

/// The hot path of an actor's gate: the answer comes later, on the loop, or never.
class ActorClaims final : public Gate {
 public:
  ActorClaims(Actor& actor, FiberLoop& loop) : actor_(actor), loop_(loop) {}
  void claim(ClaimBatch batch, ClaimHandler handler) override;

  /// In which epoch the gate last gave this user that sequence.
  Epoch epoch_of(const std::string& coupon_id, const std::string& user_id, Sequence sequence) const;

 private:
  struct Call;
  void arrive(const std::shared_ptr<Call>& call);
  void answer(const std::shared_ptr<Call>& call, Result<ClaimReply> reply);

  Actor& actor_;
  FiberLoop& loop_;
  std::map<std::tuple<std::string, std::string, Sequence>, Epoch> epochs_;
};

/// What the processes of every role have.
struct Common {
  explicit Common(Actor& actor, Caller caller = Caller::any)
      : store(actor), gate(actor, caller), catalog(store), reader(catalog) {}

  [[noreturn]] void keep_catalog();

  ActorStore store;
  ActorGate gate;
  Catalog catalog;
  CatalogReader reader;
  Watermarks watermarks;
  Health health;
};

class ApiActor final : public Actor {
 public:
  ApiActor(Environment& environment, const std::string& name);

  /// A request of a user; `answered` is called unless the process dies first.
  void request(const std::string& coupon_id, const std::string& user_id,
               std::function<void(bool answered, Decision decision)> done);
  bool idle() const { return alive() && objects_ && objects_->issuer.in_flight() == 0; }

 protected:
  void open() override;
  void close() override { objects_.reset(); }

 private:
  struct Objects {
    explicit Objects(ApiActor& actor);
    Common common;
    Propagator propagator;
    FiberLoop loop;
    ActorClaims claims;
    AckWaiters waiters;
    UnsavedClaims unsaved_claims;
    RefusalCache refusals;
    RefusalReader refusal_reader;
    Issuer issuer;
    Recorder recorder;
    ActorStore recovery_store;
    ActorGate recovery_gate;
    ActorTail tail;
    Guard guard;
    RecoveryCoordinator recovery;
    ProgressPoller poller;
    bool loaded = false;
  };
  void note_answer(const std::string& coupon_id, const std::string& user_id,
                   const Result<IssueAnswer>& answer);
  std::unique_ptr<Objects> objects_;
};

class RelayActor final : public Actor {
 public:
  RelayActor(Environment& environment, const std::string& name);

 protected:
  void open() override;
  void close() override;

 private:
  std::unique_ptr<Common> common_;
  std::unique_ptr<ActorPublisher> publisher_;
  std::unique_ptr<Relay> relay_;
};

class ConsumerActor final : public Actor {
 public:
  ConsumerActor(Environment& environment, const std::string& name);

 protected:
  void open() override;
  void close() override;

 private:
  std::unique_ptr<Common> common_;
  std::unique_ptr<ActorConsumer> log_;
  std::unique_ptr<Consumer> consumer_;
};

}  // namespace seonchak::sim
