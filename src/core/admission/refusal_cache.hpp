#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/metrics.hpp"
#include "base/mutex.hpp"
#include "base/text_hash.hpp"
#include "core/admission/bloom_filter.hpp"
#include "core/admission/refusal_term.hpp"
#include "core/catalog/catalog.hpp"
#include "core/model/times.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

struct RefusalCacheOptions {
  /// How long a process may refuse on what it last heard from the store. A change that could let somebody in
  /// reaches the gate later than this after its commit: PropagatorOptions::loosening_delay.
  std::chrono::milliseconds lease = safety_times.refusal_lease;

  /// Then somebody asks the gate in spite of the refusal, while the others are still refused: one user in
  /// each of these periods, per coupon and process, when there is demand. So a refusal that was no more than
  /// a glitch of the gate's clock ends by itself.
  std::chrono::milliseconds refresh_after{1'000};
  std::chrono::milliseconds valid_max{3'000};     ///< without an answer to that, the gate is asked for all
  std::chrono::milliseconds not_open_max{1'000};  ///< then the gate is asked again what time it is
  std::size_t filter_bytes_max = std::size_t{128} * 1024 * 1024;  ///< beyond it, the gate is asked
};

/// A coupon of which nobody gets one as things stand: sold out, closed or not open, so who holds it cannot
/// change either.
struct Refusal {
  Epoch epoch = 0;
  Revision revision = 0;  ///< of the store's row, which the gate had when it refused
  Decision decision = Decision::sold_out;
  std::optional<Time> opens_at{};
  std::int64_t issued = 0;
  std::shared_ptr<const RefusalTerm> term{};
  std::shared_ptr<const BloomFilter> holders{};  ///< never null in RefusalCache::known
};

/// The refusals one process knows, so that those who come late cost the gate nothing. Event loops say what
/// the gate has answered (seen); a thread of its own asks the gate for the holders and publishes (step).
/// docs/decisions/0008 says why an answer from here is the one the gate would give. Safe from any thread.
class RefusalCache {
 public:
  using Known = TextMap<std::shared_ptr<const Refusal>>;

  RefusalCache(GateControl& gate, Catalog& catalog, Metrics& metrics, RefusalCacheOptions options = {});

  /// The gate, asked at `asked_at` by its caller, has answered with `state`. Does nothing unless `state` is
  /// of the revision that `coupon` is. When it refuses whoever is no holder, as is known already, that goes
  /// on; anything else ends what is known.
  void seen(const Coupon& coupon, const GateState& state, std::chrono::steady_clock::time_point asked_at);

  /// Waits up to `wait` for refusals that were seen, finds out who the holders are, and publishes.
  /// Used from one thread.
  void step(std::chrono::milliseconds wait);

  /// Makes step() return soon.
  void stop();

  std::shared_ptr<const Known> known() const;

  /// Changes whenever known() does.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  const RefusalCacheOptions& options() const { return options_; }

 private:
  /// Until when `decision` counts that the gate, asked at `asked_at`, has given with `state`.
  std::chrono::steady_clock::time_point valid_until(Decision decision, const GateState& state,
                                                    std::chrono::steady_clock::time_point asked_at) const;

  /// What step() works on, and publishes once.
  struct Draft {
    Known known;
    std::size_t bytes = 0;           // of the filters in `known`
    std::size_t outdated_bytes = 0;  // of those that are still published and not in `known`
  };
  Draft without_outdated() const;
  Result<std::shared_ptr<const BloomFilter>> holders_of(const std::string& coupon_id, const Refusal& refusal,
                                                        Draft& draft);
  Result<void> read_holders(const std::string& coupon_id, const Refusal& refusal, BloomFilter& filter) const;
  void publish(Known next);

  GateControl& gate_;
  Catalog& catalog_;
  const RefusalCacheOptions options_;
  Counter& scans_;

  mutable Mutex mutex_;
  std::condition_variable wake_;
  TextMap<Refusal> seen_ GUARDED_BY(mutex_);
  std::shared_ptr<const Known> known_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> version_{0};
  std::atomic<bool> stopping_{false};
};

/// One thread's view of the refusals.
class RefusalReader {
 public:
  explicit RefusalReader(RefusalCache& refusals) : refusals_(refusals) {}

  /// The refusal of this user, if it is certain that the gate would refuse too; null otherwise. `coupon` was
  /// found in the catalog after `catalog_as_of` had been read: with the other order a thread that stood still
  /// in between would take the old coupon for a fresh one. The answer is valid until the next call.
  const Refusal* find(const Coupon& coupon, std::string_view user_id,
                      std::chrono::steady_clock::time_point catalog_as_of);

  /// As RefusalCache::seen, and free when nobody is refused and nothing is known of the coupon.
  void seen(const Coupon& coupon, const GateState& state, std::chrono::steady_clock::time_point asked_at);

 private:
  const RefusalCache::Known& known();

  RefusalCache& refusals_;
  std::shared_ptr<const RefusalCache::Known> known_;
  std::uint64_t version_ = 0;
};

}  // namespace seonchak
