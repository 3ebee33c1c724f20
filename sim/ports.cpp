#include "sim/ports.hpp"

#include <algorithm>

namespace seonchak::sim {

Result<Coupon> ActorStore::create_coupon(Coupon coupon) {
  return call("create_coupon", [&] { return store_.create_coupon(std::move(coupon)); });
}
Result<Coupon> ActorStore::coupon(const std::string& id) {
  return call("coupon", [&] { return store_.coupon(id); });
}
Result<std::vector<Coupon>> ActorStore::coupons_since(Revision after, std::size_t limit) {
  return call("coupons_since", [&] { return store_.coupons_since(after, limit); });
}
Result<std::vector<Coupon>> ActorStore::list_coupons(const std::string& after_id, std::size_t limit) {
  return call("list_coupons", [&] { return store_.list_coupons(after_id, limit); });
}
Result<CouponTotals> ActorStore::coupon_totals() {
  return call("coupon_totals", [&] { return store_.coupon_totals(); });
}
Result<SaveOutcome> ActorStore::save(const SaveBatch& batch) {
  return call("save", [&]() -> Result<SaveOutcome> {
    const auto refused = [&](const IssuedEvent& event) { return actor_.is_refused(event.coupon_id); };
    if (caller_ == Caller::any && std::ranges::any_of(batch.events, refused)) return SaveOutcome::busy;
    return store_.save(batch);
  });
}
Result<std::vector<LogPosition>> ActorStore::positions(const std::string& group, const std::string& topic) {
  return call("positions", [&] { return store_.positions(group, topic); });
}
Result<std::vector<LogPosition>> ActorStore::highest_positions(const std::string& topic) {
  return call("highest_positions", [&] { return store_.highest_positions(topic); });
}
Result<std::vector<UserCoupon>> ActorStore::coupons_of_user(const std::string& user_id, std::size_t limit) {
  return call("coupons_of_user", [&] { return store_.coupons_of_user(user_id, limit); });
}
Result<std::vector<Holder>> ActorStore::holders(const std::string& coupon_id, Sequence after,
                                                std::size_t limit) {
  return call("holders", [&] { return store_.holders(coupon_id, after, limit); });
}
Result<std::vector<Holder>> ActorStore::holders_among(const std::string& coupon_id,
                                                      std::span<const std::string> users) {
  return call("holders_among", [&] { return store_.holders_among(coupon_id, users); });
}
Result<bool> ActorStore::begin_recording(const std::string& coupon_id, Epoch epoch,
                                         const std::string& process) {
  return call("begin_recording", [&] {
    auto begun = store_.begin_recording(coupon_id, epoch, process);
    if (*begun) actor_.life()->announced(coupon_id, epoch, actor_.environment().scheduler.now());
    return begun;
  });
}
Result<bool> ActorStore::record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                                        std::span<const KnownClaim> claims) {
  return call("record_unsaved", [&] {
    actor_.hang_as_recorder(caller_);
    auto heard = store_.record_unsaved(coupon_id, epoch, process, claims);
    if (heard && *heard && caller_ != Caller::recovery)
      actor_.life()->heard(coupon_id, epoch, actor_.environment().scheduler.now());
    return heard;
  });
}
Result<void> ActorStore::end_recording(const std::string& coupon_id, Epoch epoch,
                                       const std::string& process) {
  return call("end_recording", [&] {
    actor_.life()->withdrawn(coupon_id, epoch);
    return store_.end_recording(coupon_id, epoch, process);
  });
}
Result<std::vector<Recording>> ActorStore::recordings(const std::string& coupon_id, Epoch epoch) {
  return call("recordings", [&] { return store_.recordings(coupon_id, epoch); });
}
Result<std::vector<KnownClaim>> ActorStore::recorded_claims(const std::string& coupon_id) {
  return call("recorded_claims", [&] { return store_.recorded_claims(coupon_id); });
}
Result<std::int64_t> ActorStore::recorded_claim_count(const std::string& coupon_id) {
  return call("recorded_claim_count", [&] { return store_.recorded_claim_count(coupon_id); });
}
Result<void> ActorStore::forget_recorded(const std::string& coupon_id, Epoch epoch) {
  return call("forget_recorded", [&] { return store_.forget_recorded(coupon_id, epoch); });
}
Result<FencedCoupons> ActorStore::fence_coupons(std::span<const CouponFence> fences) {
  if (!fences.empty()) actor_.be_overtaken(caller_, fences.front().coupon_id);
  actor_.wait_for_row(caller_);
  return call("fence_coupons", [&] {
    auto fenced = store_.fence_coupons(fences);
    for (const Coupon& row : fenced->changed) committed(row);
    return fenced;
  });
}
Result<std::vector<KnownClaim>> ActorStore::late_claims(const std::string& coupon_id, const KnownClaim& after,
                                                        std::size_t limit) {
  return call("late_claims", [&] { return store_.late_claims(coupon_id, after, limit); });
}
Result<std::vector<std::string>> ActorStore::coupons_with_late_claims(const std::string& after_id,
                                                                      std::size_t limit) {
  return call("coupons_with_late_claims", [&] { return store_.coupons_with_late_claims(after_id, limit); });
}
Result<void> ActorStore::forget_late_claims(const std::string& coupon_id,
                                            std::span<const KnownClaim> claims) {
  return call("forget_late_claims", [&] { return store_.forget_late_claims(coupon_id, claims); });
}
Result<LeaseRow> ActorStore::read_lease(const std::string& name) {
  return call("read_lease", [&] { return store_.read_lease(name); });
}
Result<std::optional<std::int64_t>> ActorStore::take_lease(const std::string& name, const LeaseRow& seen,
                                                           const std::string& holder) {
  return call("take_lease", [&] { return store_.take_lease(name, seen, holder); });
}
Result<bool> ActorStore::beat_lease(const std::string& name, std::int64_t token) {
  return call("beat_lease", [&] { return store_.beat_lease(name, token); });
}
Result<void> ActorStore::release_lease(const std::string& name, std::int64_t token) {
  return call("release_lease", [&] { return store_.release_lease(name, token); });
}
Result<void> ActorStore::check() {
  return call("check", [&] { return store_.check(); });
}

// A transaction can fail at its end, too: then `change` has run and nothing is committed.
Result<Coupon> ActorStore::update_coupon(const std::string& id,
                                         const std::function<Result<void>(Coupon&)>& change) {
  actor_.be_overtaken(caller_, id);
  return call("update_coupon", [&] {
    const auto updated = store_.update_coupon(id, [&](Coupon& row) -> Result<void> {
      in_transaction_ = true;
      auto changed = change(row);
      in_transaction_ = false;
      if (!changed) return changed;
      return actor_.call("commit", true, [] { return Result<void>(); });
    });
    if (updated) committed(*updated);
    return updated;
  });
}

void ActorStore::committed(const Coupon& row) {
  Environment& environment = actor_.environment();
  environment.ledger.committed(row);
  if (!environment.tracing()) return;
  environment.note(actor_.name(),
                   "row " + row.id + " epoch " + to_string(row.epoch) + " settled " + to_string(row.settled));
}

Result<void> ActorGate::install(const GateConfig& config) {
  return call("install", [&](MemoryGate& gate) { return gate.install(config); });
}
Result<void> ActorGate::configure(const GateConfig& config) {
  return call("configure", [&](MemoryGate& gate) { return gate.configure(config); });
}
Result<GateState> ActorGate::state(const std::string& coupon_id) {
  return call("state", [&](MemoryGate& gate) { return gate.state(coupon_id); });
}
PerCoupon<std::optional<Holding>> ActorGate::holdings(const std::string& user_id,
                                                      std::span<const std::string> coupon_ids) {
  return call_each("holdings", coupon_ids.size(),
                   [&](MemoryGate& gate) { return gate.holdings(user_id, coupon_ids); });
}
Result<HoldersPage> ActorGate::holders_page(const std::string& coupon_id, const std::string& cursor) {
  return call("holders_page", [&](MemoryGate& gate) { return gate.holders_page(coupon_id, cursor); });
}
Result<std::vector<std::optional<Holder>>> ActorGate::holders_of(const GateConfig& config,
                                                                 std::span<const std::string> users) {
  return call("holders_of", [&](MemoryGate& gate) { return gate.holders_of(config, users); });
}
Result<ClaimReply> ActorGate::claim_now(ClaimBatch batch) {
  return call("claim_now", [&](MemoryGate& gate) { return gate.claim_now(std::move(batch)); });
}
Result<void> ActorGate::check() {
  return call("check", [&](MemoryGate& gate) { return gate.check(); });
}
PerCoupon<void> ActorGate::raise_published(std::span<const Watermark> watermarks) {
  return call_each("raise_published", watermarks.size(),
                   [&](MemoryGate& gate) { return gate.raise_published(watermarks); });
}
PerCoupon<void> ActorGate::reject(std::span<const Watermark> sequences) {
  return call_each("reject", sequences.size(), [&](MemoryGate& gate) { return gate.reject(sequences); });
}

PerCoupon<void> ActorGate::raise_persisted(std::span<const Watermark> watermarks) {
  return call_each("raise_persisted", watermarks.size(),
                   [&](MemoryGate& gate) { return gate.raise_persisted(watermarks); });
}
PerCoupon<bool> ActorGate::lease(std::span<const std::string> coupon_ids, const std::string& owner,
                                 std::chrono::milliseconds ttl) {
  return call_each("lease", coupon_ids.size(),
                   [&](MemoryGate& gate) { return gate.lease(coupon_ids, owner, ttl); });
}
PerCoupon<void> ActorGate::release(std::span<const std::string> coupon_ids, const std::string& owner) {
  return call_each("release", coupon_ids.size(),
                   [&](MemoryGate& gate) { return gate.release(coupon_ids, owner); });
}
PerCoupon<Outbox::Progress> ActorGate::progress(std::span<const std::string> coupon_ids) {
  return call_each("progress", coupon_ids.size(),
                   [&](MemoryGate& gate) { return gate.progress(coupon_ids); });
}
Result<std::vector<ActiveCoupon>> ActorGate::active(std::size_t limit) {
  return call("active", [&](MemoryGate& gate) { return gate.active(limit); });
}
Result<void> ActorGate::settle_active(const std::string& coupon_id, Time last_hint) {
  return call("settle_active", [&](MemoryGate& gate) { return gate.settle_active(coupon_id, last_hint); });
}
Result<std::string> ActorGate::observe(const std::string& coupon_id) {
  return call("observe", [&](MemoryGate& gate) { return gate.observe(coupon_id); });
}
Result<Remains> ActorGate::begin(const GateConfig& config, const std::string& token,
                                 const std::string& expected) {
  return call("begin", [&](MemoryGate& gate) {
    auto remains = gate.begin(config, token, expected);
    if (remains) actor_.environment().ledger.shut(config.id, remains->epoch, *gate.survivors(config.id, 0));
    return remains;
  });
}
Result<std::vector<Holder>> ActorGate::survivors(const std::string& coupon_id, Sequence after) {
  return call("survivors", [&](MemoryGate& gate) { return gate.survivors(coupon_id, after); });
}
Result<void> ActorGate::put_holders(const std::string& coupon_id, const std::string& token,
                                    std::span<const Holder> holders, bool first) {
  if (!holders.empty() || first) actor_.be_overtaken(caller_, coupon_id);
  return call("put_holders",
              [&](MemoryGate& gate) { return gate.put_holders(coupon_id, token, holders, first); });
}
Result<void> ActorGate::put_outbox(const std::string& coupon_id, const std::string& token,
                                   std::span<const OutboxEntry> entries, bool first) {
  actor_.be_overtaken(caller_, coupon_id);
  return call("put_outbox",
              [&](MemoryGate& gate) { return gate.put_outbox(coupon_id, token, entries, first); });
}
Result<void> ActorGate::open(const GateConfig& config, const std::string& token,
                             const RebuiltWatermarks& watermarks) {
  actor_.be_overtaken(caller_, config.id);
  return call("open", [&](MemoryGate& gate) { return gate.open(config, token, watermarks); });
}

Result<GateIdentity> ActorGate::identity(const std::string& coupon_id) {
  return call("identity", [&](MemoryGate& gate) -> Result<GateIdentity> {
    if (&gate != actor_.environment().gates.back().get()) {
      return Error{Errc::unavailable, "another server is the master"};
    }
    return gate.identity(coupon_id);
  });
}

Result<OutboxRead> ActorGate::read(std::span<const Watermark> after, std::size_t entries_max,
                                   std::chrono::milliseconds wait) {
  const auto once = [&](MemoryGate& gate) {
    return gate.read(after, entries_max, std::chrono::milliseconds(0));
  };
  auto read = call("read", once);
  if (!read || !read->entries.empty() || wait.count() == 0) return read;
  ticker().sleep_for(wait);
  return call("read", once);
}

ActorPublisher::~ActorPublisher() {
  Environment& environment = actor_.environment();
  if (queue_.empty() || environment.healed || !environment.plan.log_is_durable) return;
  if (environment.random.chance(200)) return;
  const auto end = static_cast<std::ptrdiff_t>(environment.random.below(queue_.size()) + 1);
  std::vector<IssuedEvent> sent(queue_.begin(), queue_.begin() + end);
  const Micros delay = environment.random.between(Micros(0), std::chrono::milliseconds(1'600));
  environment.scheduler.after(delay, [&environment, sent = std::move(sent)] {
    environment.fault(FaultKind::sent_by_the_dead, to_string(sent.front().sequence));
    environment.log.append(sent);
  });
}

std::size_t ActorPublisher::publish(std::span<const IssuedEvent> events) {
  const std::size_t room = 8 - std::min<std::size_t>(8, queue_.size());
  const std::size_t taken = std::min(events.size(), room);
  queue_.insert(queue_.end(), events.begin(), events.begin() + static_cast<std::ptrdiff_t>(taken));
  return taken;
}

EventPublisher::Report ActorPublisher::lose() {
  actor_.environment().fault(FaultKind::publisher_lost_its_queue, actor_.name());
  queue_.clear();
  Report report;
  report.lost = true;
  return report;
}

EventPublisher::Report ActorPublisher::poll(std::chrono::milliseconds wait) {
  if (queue_.empty()) {
    if (wait.count() > 0) ticker().sleep_for(wait);
    return {};
  }
  actor_.environment().wait_for_log();
  actor_.travel();
  const bool loses = actor_.faulty(actor_.environment().plan.publisher_loss_per_mille);
  const bool before = actor_.environment().random.chance(500);
  if (loses && before) return lose();
  std::vector<IssuedEvent> part(queue_.begin(), queue_.end());
  part.resize(actor_.environment().random.below(part.size()) + 1);
  const std::size_t taken = inner_->publish(part);
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken));
  Report report = inner_->poll(wait);
  if (actor_.environment().tracing())
    actor_.environment().note(actor_.name(),
                              "append " + to_string(part.front().sequence) + ".. " + std::to_string(taken));
  actor_.travel();
  return loses ? lose() : report;
}

Result<EventConsumer::Polled> ActorConsumer::poll(std::size_t records_max, std::chrono::milliseconds wait) {
  // Fails before it has taken anything: records that were handed out are never lost on the way.
  if (auto reached = actor_.call("poll", false, [] { return Result<void>(); }); !reached)
    return reached.error();
  return inner_->poll(records_max, wait);
}

Result<void> ActorConsumer::start_at(std::span<const LogPosition> positions) {
  return actor_.call("start_at", false, [&] { return inner_->start_at(positions); });
}

Result<void> ActorConsumer::dead_letter(std::span<const RefusedRecord> refused) {
  return actor_.call("dead_letter", false, [&] { return inner_->dead_letter(refused); });
}

Result<EventLogTail::Part> ActorTail::read(std::span<const LogPosition> ends, std::size_t records_max,
                                           std::chrono::milliseconds wait) {
  auto part = actor_.call("read_tail", false, [&]() -> Result<Part> {
    if (kept_) return *kept_;
    auto read = inner_->read(ends, records_max, wait);
    if (read) kept_ = *read;
    return read;
  });
  if (part) {
    kept_.reset();
  } else if (kept_) {
    kept_->at_end = false;  // the end may be raised before it is handed out
  }
  return part;
}

}  // namespace seonchak::sim
