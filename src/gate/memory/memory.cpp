#include "gate/memory/memory.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/failpoint.hpp"

namespace seonchak {

namespace {

Error missing(std::string_view coupon_id) {
  return {Errc::gate_missing, "the gate has no state of coupon " + std::string(coupon_id)};
}

Error other_epoch(std::string_view coupon_id) {
  return {Errc::gate_epoch,
          "the gate's state of coupon " + std::string(coupon_id) + " is of another epoch or coupon"};
}

Error untrusted(const std::string& expected, const std::string& found) {
  return {Errc::gate_untrusted,
          "the gate is " + found + ", and the coupon's state is trusted on " + expected};
}

Error holders_lost(std::string_view coupon_id) {
  return {Errc::gate_behind, "the gate has lost holders of coupon " + std::string(coupon_id)};
}

}  // namespace

bool MemoryGate::Entry::has_lost_holders() const {
  return static_cast<std::int64_t>(holders.size()) < counted && !failpoint("count_holders_only");
}

// Between the end of a rebuilt outbox and the sequence it was opened with, nothing waits.
Sequence MemoryGate::Entry::last_pending() const {
  return state.sequence > rebuilt ? state.sequence : pending;
}

bool MemoryGate::Entry::has_no_outbox() const {
  return outbox.empty() && last_pending() > state.persisted;
}

// What a recovery wrote has gaps.
bool MemoryGate::Entry::has_lost_outbox() const {
  if (last_pending() <= state.persisted) return false;
  return outbox.empty() || outbox.front().first_sequence > std::max(state.persisted, rebuilt) + 1;
}

MemoryGate::Entry* MemoryGate::find(std::string_view coupon_id) {
  const auto found = coupons_.find(coupon_id);
  return found == coupons_.end() ? nullptr : &found->second;
}

Result<MemoryGate::Entry*> MemoryGate::create(const GateConfig& config) {
  const auto [place, created] = coupons_.try_emplace(config.id);
  Entry& entry = place->second;
  if (!created) {
    if (entry.created_at != config.created_at) return other_epoch(config.id);
    const bool recovered = !entry.token.empty();
    if (!recovered && entry.state.epoch == config.epoch) return &entry;
    if (recovered || entry.state.epoch > config.epoch || entry.state.sequence > 0)
      return Error{Errc::gate_later, "the gate has a later state of coupon " + config.id};
  }
  entry.counted = 0;
  entry.created_at = config.created_at;
  entry.state.stock = config.stock;
  entry.state.opens_at = config.opens_at;
  entry.state.closes_at = config.closes_at;
  entry.state.closed = config.closed;
  entry.state.epoch = config.epoch;
  entry.state.revision = config.revision;
  return &entry;
}

Result<void> MemoryGate::restore(const GateConfig& config, std::span<const Holder> holders) {
  const MutexLock lock(mutex_);
  const auto created = create(config);
  if (!created) return created.error();
  Entry& entry = **created;
  if (!entry.outbox.empty())
    return Error{Errc::invalid, "coupon " + config.id + " has issued since it was restored"};
  for (const Holder& holder : holders) {
    entry.holders.try_emplace(holder.user_id, Held{holder.sequence, holder.issued_at});
    entry.state.sequence = std::max(entry.state.sequence, holder.sequence);
  }
  entry.counted = static_cast<std::int64_t>(entry.holders.size());
  entry.state.published = entry.state.sequence;
  entry.state.persisted = entry.state.sequence;
  return {};
}

void MemoryGate::claim(ClaimBatch batch, ClaimHandler handler) {
  handler(claim_now(std::move(batch)));
}

Result<ClaimReply> MemoryGate::claim_now(ClaimBatch batch) {
  if (batch.users.empty() || batch.users.size() > claim_users_max) {
    return Error{Errc::invalid, "a batch carries 1 to " + std::to_string(claim_users_max) + " users"};
  }
  const MutexLock lock(mutex_);
  hint(batch.coupon_id);
  return decide_batch(batch);
}

Result<ClaimReply> MemoryGate::decide_batch(const ClaimBatch& batch) {
  Entry* const entry = find(batch.coupon_id);
  if (!entry) return missing(batch.coupon_id);
  if (!batch.gate.empty() && batch.gate != name()) return untrusted(batch.gate, name());
  if (!entry->token.empty() || entry->state.epoch != batch.epoch) return other_epoch(batch.coupon_id);
  if (entry->state.sequence < batch.sequence_seen) {
    return Error{Errc::gate_behind, "the gate has forgotten sequences of coupon " + batch.coupon_id};
  }

  if (entry->has_lost_holders()) return holders_lost(batch.coupon_id);

  std::optional<GateState> state(entry->state);
  state->now = now();
  state->issued = static_cast<std::int64_t>(entry->holders.size());
  std::vector<Claim> claims;
  claims.reserve(batch.users.size());
  OutboxEntry fresh{batch.coupon_id, state->epoch, state->sequence + 1, state->now, {}};
  for (const std::string& user : batch.users) {
    const auto held = entry->holders.find(user);
    const bool holds = held != entry->holders.end();
    const Decision decision = decide(state, holds);
    if (holds) {
      claims.push_back({decision, held->second.sequence, held->second.issued_at});
    } else if (decision == Decision::issued) {
      ++state->sequence;
      ++state->issued;
      entry->holders.emplace(user, Held{state->sequence, state->now});
      fresh.users.push_back(user);
      claims.push_back({decision, state->sequence, state->now});
    } else {
      claims.push_back({decision, 0, {}});
    }
  }
  if (fresh.users.empty()) return ClaimReply{*state, std::move(claims)};

  const bool full = state->sequence - state->persisted > options_.outbox_sequences_max;
  if (full || entry->has_no_outbox()) {
    for (const std::string& user : fresh.users) entry->holders.erase(user);
    if (full)
      return Error{Errc::outbox_full,
                   "too many issued coupons of " + batch.coupon_id + " wait for the store"};
    return Error{Errc::gate_behind, "the gate has lost the outbox of coupon " + batch.coupon_id};
  }
  entry->state.sequence = state->sequence;
  entry->counted = state->issued;
  entry->outbox.push_back(std::move(fresh));
  appended_.notify_all();
  return ClaimReply{*state, std::move(claims)};
}

Result<void> MemoryGate::install(const GateConfig& config) {
  const MutexLock lock(mutex_);
  const auto created = create(config);
  if (!created) return created.error();
  return {};
}

Result<void> MemoryGate::configure(const GateConfig& config) {
  const MutexLock lock(mutex_);
  Entry* const entry = find(config.id);
  if (!entry) return missing(config.id);
  if (!config.gate.empty() && config.gate != name()) return untrusted(config.gate, name());
  if (!entry->token.empty() || entry->state.epoch != config.epoch) return other_epoch(config.id);
  if (entry->state.revision == config.revision) return {};
  if (entry->state.revision > config.revision)
    return Error{Errc::gate_later, "the gate has a later revision of coupon " + config.id};
  if (entry->has_lost_holders()) return holders_lost(config.id);
  if (config.stock < static_cast<std::int64_t>(entry->holders.size())) {
    return Error{Errc::stock_below_issued,
                 "more coupons of " + config.id + " are issued than the stock asked for"};
  }
  entry->state.stock = config.stock;
  entry->state.opens_at = config.opens_at;
  entry->state.closes_at = config.closes_at;
  entry->state.closed = config.closed;
  entry->state.revision = config.revision;
  return {};
}

Result<GateState> MemoryGate::state(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  const Entry* const entry = find(coupon_id);
  if (!entry) return missing(coupon_id);
  if (!entry->token.empty()) return other_epoch(coupon_id);
  GateState state = entry->state;
  state.counted = failpoint("count_holders_only") ? -1 : entry->counted;
  state.issued = static_cast<std::int64_t>(entry->holders.size());
  state.now = now();
  return state;
}

PerCoupon<std::optional<Holding>> MemoryGate::holdings(const std::string& user_id,
                                                       std::span<const std::string> coupon_ids) {
  PerCoupon<std::optional<Holding>> holdings;
  const MutexLock lock(mutex_);
  for (const std::string& coupon_id : coupon_ids) {
    std::optional<Holding> holding;
    if (const Entry* const entry = find(coupon_id)) {
      const auto held = entry->holders.find(user_id);
      if (held != entry->holders.end())
        holding = Holding{coupon_id, held->second.sequence, held->second.issued_at};
    }
    holdings.emplace_back(std::move(holding));
  }
  return holdings;
}

}  // namespace seonchak
