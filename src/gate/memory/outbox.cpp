#include <algorithm>
#include <functional>

#include "base/failpoint.hpp"
#include "base/ticker.hpp"
#include "gate/memory/memory.hpp"

namespace seonchak {

std::vector<OutboxEntry> MemoryGate::collect(std::span<const Watermark> after, std::size_t entries_max) {
  std::vector<OutboxEntry> entries;
  for (const Watermark& watermark : after) {
    const Entry* const entry = find(watermark.coupon_id);
    if (!entry) continue;
    const auto& outbox = entry->outbox;
    auto next = std::ranges::partition_point(
        outbox, [&](const OutboxEntry& item) { return item.last_sequence() <= watermark.sequence; });
    const auto available = static_cast<std::size_t>(outbox.end() - next);
    const auto take = static_cast<std::ptrdiff_t>(std::min(available, entries_max));
    entries.insert(entries.end(), next, next + take);
  }
  return entries;
}

Result<OutboxRead> MemoryGate::read(std::span<const Watermark> after, std::size_t entries_max,
                                    std::chrono::milliseconds wait) {
  const auto deadline = ticker().now() + wait;
  MutexLock lock(mutex_);
  for (;;) {
    auto entries = collect(after, entries_max);
    if (!entries.empty() || ticker().now() >= deadline) return OutboxRead{std::move(entries), {}};
    lock.wait_for(appended_, deadline - std::chrono::steady_clock::now());
  }
}

// Nothing when the watermark does not belong to this state.
std::optional<Sequence> MemoryGate::reached(const Entry* entry, const Watermark& watermark) {
  if (entry == nullptr || !entry->token.empty()) return std::nullopt;
  if (entry->state.epoch != watermark.epoch && !failpoint("watermark_of_any_epoch")) return std::nullopt;
  const bool all_rebuilt = watermark.sequence >= entry->pending;
  return all_rebuilt ? std::max(watermark.sequence, entry->rebuilt) : watermark.sequence;
}

PerCoupon<void> MemoryGate::raise_published(std::span<const Watermark> watermarks) {
  const MutexLock lock(mutex_);
  for (const Watermark& watermark : watermarks) {
    Entry* const entry = find(watermark.coupon_id);
    if (const auto sequence = reached(entry, watermark))
      entry->state.published = std::max(entry->state.published, *sequence);
  }
  return PerCoupon<void>(watermarks.size());
}

PerCoupon<void> MemoryGate::raise_persisted(std::span<const Watermark> watermarks) {
  const MutexLock lock(mutex_);
  for (const Watermark& watermark : watermarks) {
    Entry* const entry = find(watermark.coupon_id);
    const auto sequence = reached(entry, watermark);
    if (!sequence) continue;
    Sequence& persisted = entry->state.persisted;
    persisted = std::max(persisted, *sequence);
    auto& outbox = entry->outbox;
    while (!outbox.empty() && outbox.front().last_sequence() <= persisted) outbox.pop_front();
  }
  return PerCoupon<void>(watermarks.size());
}

PerCoupon<void> MemoryGate::reject(std::span<const Watermark> sequences) {
  const MutexLock lock(mutex_);
  for (const Watermark& rejected : sequences) {
    Entry* const entry = find(rejected.coupon_id);
    if (entry && entry->token.empty() && entry->state.epoch == rejected.epoch)
      entry->rejected.add(rejected.sequence);
  }
  return PerCoupon<void>(sequences.size());
}

PerCoupon<bool> MemoryGate::lease(std::span<const std::string> coupon_ids, const std::string& owner,
                                  std::chrono::milliseconds ttl) {
  PerCoupon<bool> leased;
  const auto time = ticker().now();
  const MutexLock lock(mutex_);
  for (const std::string& coupon_id : coupon_ids) {
    Lease& lease = leases_[coupon_id];
    const bool free = lease.owner == owner || time >= lease.expires_at;
    if (free) lease.owner = owner;
    lease.expires_at = free ? time + ttl : std::min(lease.expires_at, time + ttl);
    leased.emplace_back(free);
  }
  return leased;
}

PerCoupon<void> MemoryGate::release(std::span<const std::string> coupon_ids, const std::string& owner) {
  const MutexLock lock(mutex_);
  for (const std::string& coupon_id : coupon_ids) {
    const auto found = leases_.find(coupon_id);
    if (found != leases_.end() && found->second.owner == owner) leases_.erase(found);
  }
  return PerCoupon<void>(coupon_ids.size());
}

PerCoupon<Outbox::Progress> MemoryGate::progress(std::span<const std::string> coupon_ids) {
  PerCoupon<Progress> progress;
  progress.reserve(coupon_ids.size());
  const MutexLock lock(mutex_);
  for (const std::string& coupon_id : coupon_ids) {
    const Entry* const entry = find(coupon_id);
    if (!entry) {
      progress.emplace_back(Progress{});
      continue;
    }
    const bool shut = !entry->token.empty();
    if (!shut && entry->has_lost_outbox()) {
      progress.emplace_back(Error{Errc::gate_behind, "the gate has lost the outbox of coupon " + coupon_id});
      continue;
    }
    progress.emplace_back(Progress{entry->state.published, entry->state.persisted,
                                   shut ? 0 : entry->state.epoch, entry->rebuilt, entry->rejected});
  }
  return progress;
}

void MemoryGate::hint(const std::string& coupon_id) {
  const Time time = from_millis(to_millis(now()));
  const auto [place, created] = active_.try_emplace(coupon_id, time);
  if (!created && (time >= place->second + active_hint_period || time < place->second)) place->second = time;
}

Result<std::vector<ActiveCoupon>> MemoryGate::active(std::size_t limit) {
  std::vector<ActiveCoupon> active;
  const MutexLock lock(mutex_);
  for (const auto& [coupon_id, last_hint] : active_) active.push_back({coupon_id, last_hint});
  std::ranges::sort(active, std::ranges::greater(), &ActiveCoupon::last_hint);
  if (active.size() > limit) active.resize(limit);
  return active;
}

Result<void> MemoryGate::settle_active(const std::string& coupon_id, Time last_hint) {
  const MutexLock lock(mutex_);
  const auto found = active_.find(coupon_id);
  if (found != active_.end() && found->second == last_hint) active_.erase(found);
  return {};
}

}  // namespace seonchak
