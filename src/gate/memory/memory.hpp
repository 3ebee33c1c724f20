#pragma once
#include <condition_variable>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.hpp"
#include "base/text_hash.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"

namespace seonchak {

struct MemoryGateOptions {
  std::int64_t outbox_sequences_max =
      1'000'000;                ///< issued and not persisted, per coupon; beyond it: outbox_full
  std::string name = "memory";  ///< what its identity begins with
};

/// The gate of a single process: one object, shared by all its threads, is every port of a gate.
///
/// Its state ends with the process, so whoever starts it restores every coupon from the store first, and
/// answers users only after the store has their coupon (Ack::store). Claims are answered before claim
/// returns. Every method is safe from any thread; no handler runs under the lock.
class MemoryGate final : public Gate, public GateControl, public Outbox, public GateRecovery {
 public:
  explicit MemoryGate(MemoryGateOptions options = {}) : options_(std::move(options)) {}

  /// Puts a page of the store's rows back; the first page of a coupon creates its state, in config.epoch
  /// and everything restored counted as published and persisted. An empty page is a coupon without holders.
  /// Errors: gate_epoch when the state is of another epoch or coupon, invalid once the coupon has issued
  /// again.
  Result<void> restore(const GateConfig& config, std::span<const Holder> holders);

  void claim(ClaimBatch batch, ClaimHandler handler) override;

  Result<void> install(const GateConfig& config) override;
  Result<void> configure(const GateConfig& config) override;
  Result<GateState> state(const std::string& coupon_id) override;
  PerCoupon<std::optional<Holding>> holdings(const std::string& user_id,
                                             std::span<const std::string> coupon_ids) override;
  Result<ClaimReply> claim_now(ClaimBatch batch) override;
  Result<HoldersPage> holders_page(const std::string& coupon_id, const std::string& cursor) override;
  Result<std::vector<std::optional<Holder>>> holders_of(const GateConfig& config,
                                                        std::span<const std::string> users) override;
  Result<GateIdentity> identity(const std::string& coupon_id) override;
  Result<void> check() override { return {}; }
  Result<void> room() override { return {}; }

  Result<OutboxRead> read(std::span<const Watermark> after, std::size_t entries_max,
                          std::chrono::milliseconds wait) override;
  PerCoupon<void> raise_published(std::span<const Watermark> watermarks) override;
  PerCoupon<void> raise_persisted(std::span<const Watermark> watermarks) override;
  PerCoupon<void> reject(std::span<const Watermark> sequences) override;
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

  /// What may happen to a server's memory, for tests: it comes back empty under another name, or with what it
  /// had once, or just forgets one coupon or a part of one.
  class Image;
  void restart_empty();
  void restart_with(const Image& image);
  Image image();
  void forget(const std::string& coupon_id);
  /// Its history gets another id, perhaps since it has `joined` another server's.
  void rename(const std::string& replication_id, bool joined);
  void forget_holders(const std::string& coupon_id);
  void forget_outbox(const std::string& coupon_id);
  void forget_outbox_entry(const std::string& coupon_id, Sequence last_sequence);

 private:
  struct Held {
    Sequence sequence = 0;
    Time issued_at{};
  };
  struct Entry {
    GateState state;  ///< `issued` and `now` are filled in when it is handed out
    Time created_at{};
    TextMap<Held> holders;
    std::deque<OutboxEntry> outbox;  ///< ascending sequences
    std::string token;               ///< of the recovery that has shut it; empty: open
    Sequence pending = 0;            ///< RebuiltWatermarks::pending, ::sequence of the last recovery
    Sequence rebuilt = 0;
    RejectedSequences rejected;
    std::int64_t counted = -1;  ///< holders after the last write; -1: never opened

    bool has_lost_holders() const;
    bool has_no_outbox() const;
    bool has_lost_outbox() const;
    Sequence last_pending() const;
  };

  struct Lease {
    std::string owner;
    std::chrono::steady_clock::time_point expires_at;
  };

  std::string run_id() const REQUIRES(mutex_);
  std::string name() const REQUIRES(mutex_);
  std::string epoch_text(const std::string& coupon_id) REQUIRES(mutex_);
  void hint(const std::string& coupon_id) REQUIRES(mutex_);
  static std::optional<Sequence> reached(const Entry* entry, const Watermark& watermark);
  Entry* find(std::string_view coupon_id) REQUIRES(mutex_);
  Result<Entry*> find_shut(const std::string& coupon_id, const std::string& token) REQUIRES(mutex_);
  Result<Entry*> create(const GateConfig& config) REQUIRES(mutex_);
  Result<ClaimReply> decide_batch(const ClaimBatch& batch) REQUIRES(mutex_);
  std::vector<OutboxEntry> collect(std::span<const Watermark> after, std::size_t entries_max)
      REQUIRES(mutex_);

  const MemoryGateOptions options_;
  Mutex mutex_;
  std::condition_variable appended_;
  TextMap<Entry> coupons_ GUARDED_BY(mutex_);
  TextMap<Lease> leases_ GUARDED_BY(mutex_);
  TextMap<Time> active_ GUARDED_BY(mutex_);  // the last hint
  int lives_ GUARDED_BY(mutex_) = 1;
  std::string replication_id_ GUARDED_BY(mutex_) = options_.name;
  bool joined_ GUARDED_BY(mutex_) = false;
};

/// Everything a gate has at one moment.
class MemoryGate::Image {
  friend MemoryGate;
  TextMap<Entry> coupons_;
};

}  // namespace seonchak
