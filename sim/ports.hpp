#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ports/event_log.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/store.hpp"
#include "sim/actor.hpp"

namespace seonchak::sim {

/// An actor's way to the store.
class ActorStore final : public Store {
 public:
  explicit ActorStore(Actor& actor, Caller caller = Caller::any)
      : actor_(actor), caller_(caller), store_(actor.environment().store) {}

  Result<Coupon> create_coupon(Coupon coupon) override;
  Result<Coupon> coupon(const std::string& id) override;
  Result<Coupon> update_coupon(const std::string& id,
                               const std::function<Result<void>(Coupon&)>& change) override;
  Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override;
  Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) override;
  Result<CouponTotals> coupon_totals() override;
  Result<SaveOutcome> save(const SaveBatch& batch) override;
  Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) override;
  Result<std::vector<LogPosition>> highest_positions(const std::string& topic) override;
  Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) override;
  Result<std::vector<Holder>> holders(const std::string& coupon_id, Sequence after_sequence,
                                      std::size_t limit) override;
  Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                            std::span<const std::string> users) override;
  Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch,
                               const std::string& process) override;
  Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                              std::span<const KnownClaim> claims) override;
  Result<void> end_recording(const std::string& coupon_id, Epoch epoch, const std::string& process) override;
  Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch) override;
  Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id) override;
  Result<std::int64_t> recorded_claim_count(const std::string& coupon_id) override;
  Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch) override;
  Result<FencedCoupons> fence_coupons(std::span<const CouponFence> fences) override;
  Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                              std::size_t limit) override;
  Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id,
                                                            std::size_t limit) override;
  Result<void> forget_late_claims(const std::string& coupon_id, std::span<const KnownClaim> claims) override;
  Result<LeaseRow> read_lease(const std::string& name) override;
  Result<std::optional<std::int64_t>> take_lease(const std::string& name, const LeaseRow& seen,
                                                 const std::string& holder) override;
  Result<bool> beat_lease(const std::string& name, std::int64_t token) override;
  Result<void> release_lease(const std::string& name, std::int64_t token) override;
  Result<void> check() override;

 private:
  /// Whoever may hang does so before the call is made, or after it has taken effect.
  template <class Call>
  auto call(const char* what, Call effect) -> decltype(effect()) {
    if (!in_transaction_) actor_.hang(caller_);
    auto result = actor_.call(what, true, effect);
    if (!in_transaction_) actor_.hang(caller_);
    return result;
  }
  void committed(const Coupon& row);

  Actor& actor_;
  const Caller caller_;
  bool in_transaction_ = false;  // then a hang would be a lock that the database takes away
  MemoryStore& store_;
};

/// An actor's way to the gate that it follows at the moment.
class ActorGate final : public GateControl, public Outbox, public GateRecovery {
 public:
  explicit ActorGate(Actor& actor, Caller caller = Caller::any) : actor_(actor), caller_(caller) {}

  Result<void> install(const GateConfig& config) override;
  Result<void> configure(const GateConfig& config) override;
  Result<GateState> state(const std::string& coupon_id) override;
  PerCoupon<std::optional<Holding>> holdings(const std::string& user_id,
                                             std::span<const std::string> coupon_ids) override;
  Result<HoldersPage> holders_page(const std::string& coupon_id, const std::string& cursor) override;
  Result<std::vector<std::optional<Holder>>> holders_of(const GateConfig& config,
                                                        std::span<const std::string> users) override;
  Result<ClaimReply> claim_now(ClaimBatch batch) override;
  /// Fails when another server is the master by now, as the Sentinels would say.
  Result<GateIdentity> identity(const std::string& coupon_id) override;
  Result<void> check() override;
  Result<void> room() override { return {}; }

  Result<OutboxRead> read(std::span<const Watermark> after, std::size_t entries_max,
                          std::chrono::milliseconds wait) override;
  PerCoupon<void> raise_published(std::span<const Watermark> watermarks) override;
  PerCoupon<void> reject(std::span<const Watermark> sequences) override;
  PerCoupon<void> raise_persisted(std::span<const Watermark> watermarks) override;
  PerCoupon<bool> lease(std::span<const std::string> coupon_ids, const std::string& owner,
                        std::chrono::milliseconds ttl) override;
  PerCoupon<void> release(std::span<const std::string> coupon_ids, const std::string& owner) override;
  PerCoupon<Progress> progress(std::span<const std::string> coupon_ids) override;
  Result<std::vector<ActiveCoupon>> active(std::size_t limit) override;
  Result<void> settle_active(const std::string& coupon_id, Time last_hint) override;

  Result<std::string> observe(const std::string& coupon_id) override;
  Result<Remains> begin(const GateConfig& config, const std::string& token,
                        const std::string& expected) override;
  Result<std::vector<Holder>> survivors(const std::string& coupon_id, Sequence after) override;
  Result<void> put_holders(const std::string& coupon_id, const std::string& token,
                           std::span<const Holder> holders, bool first) override;
  Result<void> put_outbox(const std::string& coupon_id, const std::string& token,
                          std::span<const OutboxEntry> entries, bool first) override;
  Result<void> open(const GateConfig& config, const std::string& token,
                    const RebuiltWatermarks& watermarks) override;

 private:
  template <class Call>
  auto call(const char* what, Call effect) {
    actor_.hang(caller_);
    actor_.hang_at_gate(caller_);
    auto result = actor_.call(what, false, [&] { return effect(*actor_.gate()); });
    actor_.hang(caller_);
    return result;
  }
  /// Of a call that answers for each of `count` coupons: all of them fail together.
  template <class Call>
  auto call_each(const char* what, std::size_t count, Call effect) {
    using Answers = decltype(effect(*actor_.gate()));
    auto answers = call(what, [&](MemoryGate& gate) { return Result<Answers>(effect(gate)); });
    if (!answers) return Answers(count, typename Answers::value_type(answers.error()));
    return std::move(*answers);
  }
  Actor& actor_;
  const Caller caller_;
};

/// A publisher with a network between its queue and the log. What is under way when its process dies may
/// still arrive, or not.
class ActorPublisher final : public EventPublisher {
 public:
  explicit ActorPublisher(Actor& actor) : actor_(actor), inner_(actor.environment().log.publisher()) {}
  ~ActorPublisher() override;

  std::size_t publish(std::span<const IssuedEvent> events) override;
  Report poll(std::chrono::milliseconds wait) override;
  std::size_t in_flight() const override { return queue_.size(); }
  bool durable() const override { return inner_->durable(); }
  Result<void> check() override { return {}; }

 private:
  Report lose();

  Actor& actor_;
  const std::unique_ptr<EventPublisher> inner_;
  std::deque<IssuedEvent> queue_;
};

class ActorConsumer final : public EventConsumer {
 public:
  explicit ActorConsumer(Actor& actor) : actor_(actor), inner_(actor.environment().log.consumer()) {}

  Result<Polled> poll(std::size_t records_max, std::chrono::milliseconds wait) override;
  Result<void> start_at(std::span<const LogPosition> positions) override;
  std::string fingerprint(const LogRecord& record) override { return inner_->fingerprint(record); }
  std::size_t keep(std::span<const LogRecord* const> records) override { return inner_->keep(records); }
  std::size_t let_go(const LogRecord& record) override { return inner_->let_go(record); }
  Result<void> dead_letter(std::span<const RefusedRecord> refused) override;
  void committed(std::span<const LogPosition> positions) override { inner_->committed(positions); }
  Reach reach(const std::string& coupon_id) override { return inner_->reach(coupon_id); }
  std::vector<LogPosition> held_back() override { return inner_->held_back(); }
  const std::string& group() const override { return inner_->group(); }
  const std::string& topic() const override { return inner_->topic(); }

 private:
  Actor& actor_;
  const std::unique_ptr<EventConsumer> inner_;
};

class ActorTail final : public EventLogTail {
 public:
  explicit ActorTail(Actor& actor) : actor_(actor), inner_(actor.environment().log.tail()) {}

  Result<std::vector<LogPosition>> ends() override {
    return actor_.call("tail_ends", false, [&] { return inner_->ends(); });
  }
  Result<void> start(std::span<const LogPosition> positions) override {
    kept_.reset();
    return actor_.call("start_tail", false, [&] { return inner_->start(positions); });
  }
  Result<Part> read(std::span<const LogPosition> ends, std::size_t records_max,
                    std::chrono::milliseconds wait) override;
  void stop() override { inner_->stop(); }
  const std::string& group() const override { return inner_->group(); }
  const std::string& topic() const override { return inner_->topic(); }

 private:
  Actor& actor_;
  const std::unique_ptr<EventLogTail> inner_;
  std::optional<Part> kept_;  // of a call that failed: the client has it, whatever came through
};

}  // namespace seonchak::sim
