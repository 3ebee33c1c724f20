#include "core/admission/refusal_cache.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/ticker.hpp"
#include "core/model/gate_config.hpp"

namespace seonchak {

namespace {

using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::chrono::milliseconds failure_pause{100};
constexpr std::chrono::milliseconds gate_clock_step{1};
constexpr std::chrono::hours far_away{24};  // a nanosecond count cannot hold every moment

/// The gate's clock does not reach `moment` before this. `asked_at` is before the gate took `now`.
TimePoint earliest(const GateState& state, TimePoint asked_at, Time moment) {
  const auto left = std::min<std::chrono::milliseconds>(moment - state.now, far_away);
  return asked_at + left - gate_clock_step;
}

bool is_of(const Refusal& refusal, const Coupon& coupon) {
  return refusal.epoch == coupon.epoch && refusal.revision == coupon.revision;
}

}  // namespace

RefusalCache::RefusalCache(GateControl& gate, Catalog& catalog, Metrics& metrics, RefusalCacheOptions options)
    : gate_(gate),
      catalog_(catalog),
      options_(options),
      scans_(metrics.counter(
          "seonchak_holder_scans_total",
          "Times all holders of a coupon were read from the gate, to refuse others from memory.")),
      known_(std::make_shared<const Known>()) {}

TimePoint RefusalCache::valid_until(Decision decision, const GateState& state, TimePoint asked_at) const {
  TimePoint until = asked_at + options_.valid_max;
  // A later answer comes first in the order of precedence.
  if (decision == Decision::not_open) {
    until = std::min({until, earliest(state, asked_at, *state.opens_at), asked_at + options_.not_open_max});
  }
  if (decision != Decision::closed && state.closes_at)
    until = std::min(until, earliest(state, asked_at, *state.closes_at));
  return until;
}

void RefusalCache::seen(const Coupon& coupon, const GateState& state, TimePoint asked_at) {
  if (!has_exactly(state, coupon)) return;
  const Decision decision = decide(state, false);
  const bool refuses = decision != Decision::issued && decision != Decision::not_found;
  const TimePoint until = valid_until(decision, state, asked_at);
  const TimePoint ask_again_at = asked_at + options_.refresh_after;
  {
    const MutexLock lock(mutex_);
    const auto found = known_->find(coupon.id);
    if (found != known_->end() && is_of(*found->second, coupon)) {
      const Refusal& known = *found->second;
      if (refuses && known.decision == decision && known.issued == state.issued)
        return known.term->renew(asked_at, ask_again_at, until);
      known.term->end(asked_at);
    }
    if (!refuses) return;
    seen_.insert_or_assign(coupon.id,
                           Refusal{coupon.epoch, coupon.revision, decision, state.opens_at, state.issued,
                                   std::make_shared<const RefusalTerm>(asked_at, ask_again_at, until)});
  }
  wake_.notify_one();
}

void RefusalCache::stop() {
  {
    // Not between a sleeper's look at it and its wait.
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

std::shared_ptr<const RefusalCache::Known> RefusalCache::known() const {
  const MutexLock lock(mutex_);
  return known_;
}

void RefusalCache::step(std::chrono::milliseconds wait) {
  TextMap<Refusal> found;
  {
    MutexLock lock(mutex_);
    if (seen_.empty() && wait.count() > 0) {
      lock.wait_for(wake_, wait, [this]() REQUIRES(mutex_) { return stopping_ || !seen_.empty(); });
    }
    found = std::exchange(seen_, {});
  }
  if (found.empty()) return;
  Draft draft = without_outdated();
  bool changed = draft.outdated_bytes > 0;
  bool failed = false;
  for (auto& [id, refusal] : found) {
    auto holders = holders_of(id, refusal, draft);
    if (!holders) {
      failed = true;
      log::debug("the gate goes on refusing", {{"coupon", id}, {"why", holders.error().message}});
      continue;
    }
    invariant(*holders != nullptr, "a refusal that is published knows its holders");
    refusal.holders = std::move(*holders);
    changed = true;
    draft.known.insert_or_assign(id, std::make_shared<const Refusal>(std::move(refusal)));
  }
  if (changed) publish(std::move(draft.known));
  if (failed && !stopping_) ticker().sleep_for(failure_pause);
}

RefusalCache::Draft RefusalCache::without_outdated() const {
  const auto catalog = catalog_.snapshot();
  const auto published = known();
  Draft draft;
  draft.known.reserve(published->size());
  for (const auto& [id, refusal] : *published) {
    const auto coupon = catalog->find(id);
    const bool current = coupon && is_of(*refusal, *coupon);
    (current ? draft.bytes : draft.outdated_bytes) += refusal->holders->bytes();
    if (current) draft.known.emplace(id, refusal);
  }
  return draft;
}

Result<std::shared_ptr<const BloomFilter>> RefusalCache::holders_of(const std::string& coupon_id,
                                                                    const Refusal& refusal, Draft& draft) {
  const auto same = draft.known.find(coupon_id);
  const std::size_t replaced = same == draft.known.end() ? 0 : same->second->holders->bytes();
  // Holders only ever join during an epoch.
  if (same != draft.known.end() && same->second->epoch == refusal.epoch &&
      same->second->issued == refusal.issued)
    return same->second->holders;
  invariant(draft.bytes >= replaced, "a filter that is replaced was counted");
  const auto issued = static_cast<std::size_t>(refusal.issued);
  const std::size_t bytes = draft.bytes - replaced + BloomFilter::bytes_for(issued);
  if (bytes > options_.filter_bytes_max)
    return Error{Errc::overloaded, "no memory is left for the filter of its holders"};
  if (bytes + draft.outdated_bytes > options_.filter_bytes_max) {
    publish(draft.known);  // lets go of the outdated
    draft.outdated_bytes = 0;
  }
  BloomFilter filter(issued);
  if (refusal.issued > 0) {
    if (auto read = read_holders(coupon_id, refusal, filter); !read) return read.error();
  }
  draft.bytes = bytes;
  return std::make_shared<const BloomFilter>(std::move(filter));
}

Result<void> RefusalCache::read_holders(const std::string& coupon_id, const Refusal& refusal,
                                        BloomFilter& filter) const {
  scans_.add();
  std::string cursor;
  do {
    if (stopping_) return Error{Errc::unavailable, "the process is stopping"};
    const auto page = gate_.holders_page(coupon_id, cursor);
    if (!page) return page.error();
    for (const Holder& holder : page->holders) filter.add(holder.user_id);
    cursor = page->next;
  } while (!cursor.empty());
  // The pages may be of a state that was lost meanwhile, or of another server's.
  const auto state = gate_.state(coupon_id);
  if (!state) return state.error();
  if (state->epoch != refusal.epoch || state->issued != refusal.issued)
    return Error{Errc::gate_epoch, "the holders have changed"};
  return {};
}

void RefusalCache::publish(Known next) {
  auto shared = std::make_shared<const Known>(std::move(next));
  const MutexLock lock(mutex_);
  known_ = std::move(shared);
  version_.fetch_add(1, std::memory_order_release);
}

const RefusalCache::Known& RefusalReader::known() {
  const std::uint64_t version = refusals_.version();
  if (!known_ || version != version_) {
    known_ = refusals_.known();
    version_ = version;
  }
  return *known_;
}

const Refusal* RefusalReader::find(const Coupon& coupon, std::string_view user_id, TimePoint catalog_as_of) {
  const RefusalCache::Known& known = this->known();
  if (known.empty()) return nullptr;
  const auto found = known.find(coupon.id);
  if (found == known.end()) return nullptr;
  const Refusal& refusal = *found->second;
  if (!is_of(refusal, coupon) || !coupon.is_open()) return nullptr;
  const TimePoint time = ticker().now();
  const RefusalCacheOptions& options = refusals_.options();
  if (refusal.term->over(time) || time - catalog_as_of > options.lease) return nullptr;
  if (refusal.holders->may_contain(user_id)) return nullptr;
  return refusal.term->take_turn(time, options.refresh_after) ? nullptr : &refusal;
}

void RefusalReader::seen(const Coupon& coupon, const GateState& state, TimePoint asked_at) {
  const Decision decision = decide(state, false);
  const bool refuses = decision != Decision::issued && decision != Decision::not_found;
  if (!refuses && (known().empty() || !known().contains(coupon.id))) return;
  refusals_.seen(coupon, state, asked_at);
}

}  // namespace seonchak
