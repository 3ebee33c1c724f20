#pragma once
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"
#include "core/testing/faults.hpp"
#include "gate/memory/memory.hpp"

namespace seonchak {

/// A store whose calls fail as planned. The plan knows a call by its name here.
class FaultyStore : public Store {
 public:
  FaultyStore(Store& inner, FaultPlan& faults) : inner_(inner), faults_(faults) {}

  Result<Coupon> create_coupon(Coupon coupon) override {
    return faults_.run("create_coupon", [&] { return inner_.create_coupon(std::move(coupon)); });
  }
  Result<Coupon> coupon(const std::string& id) override {
    return faults_.run("coupon", [&] { return inner_.coupon(id); });
  }
  Result<Coupon> update_coupon(const std::string& id,
                               const std::function<Result<void>(Coupon&)>& change) override {
    // A transaction fails at its end: `change` has run even when nothing is committed.
    return faults_.run("update_coupon", [&]() -> Result<Coupon> {
      if (busy_coupons.contains(id)) return Error{Errc::row_held, "somebody holds the row of coupon " + id};
      return inner_.update_coupon(id, [&](Coupon& row) -> Result<void> {
        if (auto changed = change(row); !changed) return changed;
        return faults_.run("commit", [] { return Result<void>(); });
      });
    });
  }
  Result<FencedCoupons> fence_coupons(std::span<const CouponFence> fences) override {
    return faults_.run("fence_coupons", [&]() -> Result<FencedCoupons> {
      if (on_fence) on_fence();
      const auto hangs = [&](const CouponFence& fence) { return hanging_coupons.contains(fence.coupon_id); };
      if (std::ranges::any_of(fences, hangs)) return Error{Errc::unavailable, "postgresql 57014: canceled"};
      std::vector<CouponFence> free;
      std::vector<std::string> held;
      for (const CouponFence& fence : fences) {
        if (busy_coupons.contains(fence.coupon_id)) {
          held.push_back(fence.coupon_id);
        } else {
          free.push_back(fence);
        }
      }
      auto fenced = inner_.fence_coupons(free);
      if (fenced) fenced->held = std::move(held);
      return fenced;
    });
  }
  Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override {
    return faults_.run("coupons_since", [&] { return inner_.coupons_since(after, limit); });
  }
  Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) override {
    return faults_.run("list_coupons", [&] { return inner_.list_coupons(after_id, limit); });
  }
  Result<CouponTotals> coupon_totals() override {
    return faults_.run("coupon_totals", [&] { return inner_.coupon_totals(); });
  }
  Result<SaveOutcome> save(const SaveBatch& batch) override {
    if (on_save) on_save(batch);
    return faults_.run("save", [&]() -> Result<SaveOutcome> {
      const auto busy = [&](const auto& each) { return busy_coupons.contains(each.coupon_id); };
      if (std::ranges::any_of(batch.events, busy) || std::ranges::any_of(batch.epochs, busy))
        return SaveOutcome::busy;
      if (busy_positions && !batch.positions.empty()) return SaveOutcome::busy;
      const auto refused = [&](const auto& each) { return refused_coupons.contains(each.coupon_id); };
      if (std::ranges::any_of(batch.events, refused)) return Error{Errc::not_now, "postgresql P0001: no"};
      const auto rejected = [&](const auto& each) { return rejected_users.contains(each.user_id); };
      if (std::ranges::any_of(batch.events, rejected)) return Error{Errc::rejected, "postgresql 23514: no"};
      return inner_.save(batch);
    });
  }
  Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) override {
    return faults_.run("positions", [&] { return inner_.positions(group, topic); });
  }
  Result<std::vector<LogPosition>> highest_positions(const std::string& topic) override {
    return faults_.run("highest_positions", [&] { return inner_.highest_positions(topic); });
  }
  Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) override {
    return faults_.run("coupons_of_user", [&] { return inner_.coupons_of_user(user_id, limit); });
  }
  Result<std::vector<Holder>> holders(const std::string& coupon_id, Sequence after_sequence,
                                      std::size_t limit) override {
    return faults_.run("holders", [&] { return inner_.holders(coupon_id, after_sequence, limit); });
  }
  Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                            std::span<const std::string> users) override {
    return faults_.run("holders_among", [&] { return inner_.holders_among(coupon_id, users); });
  }
  Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch,
                               const std::string& process) override {
    return faults_.run("begin_recording", [&] { return inner_.begin_recording(coupon_id, epoch, process); });
  }
  Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                              std::span<const KnownClaim> claims) override {
    return faults_.run("record_unsaved", [&]() -> Result<bool> {
      if (busy_coupons.contains(coupon_id)) return Error{Errc::unavailable, "somebody holds its row"};
      return inner_.record_unsaved(coupon_id, epoch, process, claims);
    });
  }
  Result<void> end_recording(const std::string& coupon_id, Epoch epoch, const std::string& process) override {
    return faults_.run("end_recording", [&] { return inner_.end_recording(coupon_id, epoch, process); });
  }
  Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch) override {
    return faults_.run("recordings", [&] { return inner_.recordings(coupon_id, epoch); });
  }
  Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id) override {
    return faults_.run("recorded_claims", [&] { return inner_.recorded_claims(coupon_id); });
  }
  Result<std::int64_t> recorded_claim_count(const std::string& coupon_id) override {
    return faults_.run("recorded_claim_count", [&] { return inner_.recorded_claim_count(coupon_id); });
  }
  Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch) override {
    return faults_.run("forget_recorded", [&] { return inner_.forget_recorded(coupon_id, epoch); });
  }
  Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                              std::size_t limit) override {
    return faults_.run("late_claims", [&] { return inner_.late_claims(coupon_id, after, limit); });
  }
  Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id,
                                                            std::size_t limit) override {
    return faults_.run("coupons_with_late_claims",
                       [&] { return inner_.coupons_with_late_claims(after_id, limit); });
  }
  Result<void> forget_late_claims(const std::string& coupon_id, std::span<const KnownClaim> claims) override {
    return faults_.run("forget_late_claims", [&] { return inner_.forget_late_claims(coupon_id, claims); });
  }
  Result<LeaseRow> read_lease(const std::string& name) override {
    return faults_.run("read_lease", [&] { return inner_.read_lease(name); });
  }
  Result<std::optional<std::int64_t>> take_lease(const std::string& name, const LeaseRow& seen,
                                                 const std::string& holder) override {
    return faults_.run("take_lease", [&] { return inner_.take_lease(name, seen, holder); });
  }
  Result<bool> beat_lease(const std::string& name, std::int64_t token) override {
    return faults_.run("beat_lease", [&] { return inner_.beat_lease(name, token); });
  }
  Result<void> release_lease(const std::string& name, std::int64_t token) override {
    return faults_.run("release_lease", [&] { return inner_.release_lease(name, token); });
  }
  Result<void> check() override {
    return faults_.run("store_check", [&] { return inner_.check(); });
  }

  std::function<void(const SaveBatch&)> on_save;  ///< sees every batch first
  std::set<std::string> busy_coupons;             ///< whose rows somebody holds
  std::set<std::string> hanging_coupons;          ///< whose change a trigger of the database never ends
  std::function<void()> on_fence;
  std::set<std::string> refused_coupons;  ///< whose rows a trigger of the database refuses
  std::set<std::string> rejected_users;   ///< whose rows break a constraint of the database
  bool busy_positions = false;            ///< somebody holds the position's row

 private:
  Store& inner_;
  FaultPlan& faults_;
};

/// A gate whose calls fail as planned.
class FaultyGate final : public Gate, public GateControl, public Outbox {
 public:
  FaultyGate(MemoryGate& inner, FaultPlan& faults) : inner_(inner), faults_(faults) {}

  void claim(ClaimBatch batch, ClaimHandler handler) override {
    handler(faults_.run("claim", [&] { return inner_.claim_now(std::move(batch)); }));
  }
  Result<void> install(const GateConfig& config) override {
    return faults_.run("install", [&] { return inner_.install(config); });
  }
  Result<void> configure(const GateConfig& config) override {
    return faults_.run("configure", [&] { return inner_.configure(config); });
  }
  Result<GateState> state(const std::string& coupon_id) override {
    if (unusable_claims.contains(coupon_id)) return unusable(coupon_id);
    return faults_.run("state", [&] { return inner_.state(coupon_id); });
  }
  PerCoupon<GateState> states(std::span<const std::string> coupon_ids) override {
    return faults_.run_each("states", coupon_ids.size(), [&] { return inner_.states(coupon_ids); });
  }
  PerCoupon<std::optional<Holding>> holdings(const std::string& user_id,
                                             std::span<const std::string> coupon_ids) override {
    return faults_.run_each("holdings", coupon_ids.size(),
                            [&] { return inner_.holdings(user_id, coupon_ids); });
  }
  Result<HoldersPage> holders_page(const std::string& coupon_id, const std::string& cursor) override {
    return faults_.run("holders_page", [&] { return inner_.holders_page(coupon_id, cursor); });
  }
  Result<std::vector<std::optional<Holder>>> holders_of(const GateConfig& config,
                                                        std::span<const std::string> users) override {
    return faults_.run("holders_of", [&] { return inner_.holders_of(config, users); });
  }
  Result<GateIdentity> identity(const std::string& coupon_id) override {
    return faults_.run("identity", [&] { return inner_.identity(coupon_id); });
  }
  Result<ClaimReply> claim_now(ClaimBatch batch) override {
    if (unusable_claims.contains(batch.coupon_id)) return unusable(batch.coupon_id);
    if (undecided_claims.contains(batch.coupon_id)) return Error{Errc::gate_epoch, "injected"};
    return faults_.run("claim_now", [&] { return inner_.claim_now(std::move(batch)); });
  }
  Result<void> check() override {
    return faults_.run("gate_check", [&] { return inner_.check(); });
  }
  Result<void> room() override { return inner_.room(); }

  /// Coupons in `unusable_outboxes` fail, and no others.
  Result<OutboxRead> read(std::span<const Watermark> after, std::size_t entries_max,
                          std::chrono::milliseconds wait) override {
    return faults_.run("read", [&]() -> Result<OutboxRead> {
      if (!malformed_entries.empty()) return read_up_to_malformed(after, entries_max);
      const bool fails = std::ranges::any_of(
          after, [&](const Watermark& watermark) { return is_unusable(watermark.coupon_id); });
      auto all = inner_.read(after, entries_max, fails ? std::chrono::milliseconds(0) : wait);
      if (!all || !fails) return all;
      std::erase_if(all->entries, [&](const OutboxEntry& entry) { return is_unusable(entry.coupon_id); });
      for (const Watermark& watermark : after) {
        if (is_unusable(watermark.coupon_id))
          all->failed.push_back({watermark.coupon_id, unusable(watermark.coupon_id)});
      }
      return all;
    });
  }
  PerCoupon<void> raise_published(std::span<const Watermark> watermarks) override {
    return faults_.run_each("raise_published", watermarks.size(),
                            [&] { return inner_.raise_published(watermarks); });
  }
  PerCoupon<void> reject(std::span<const Watermark> sequences) override {
    return faults_.run_each("reject", sequences.size(), [&] { return inner_.reject(sequences); });
  }
  PerCoupon<void> raise_persisted(std::span<const Watermark> watermarks) override {
    return faults_.run_each("raise_persisted", watermarks.size(),
                            [&] { return inner_.raise_persisted(watermarks); });
  }
  PerCoupon<bool> lease(std::span<const std::string> coupon_ids, const std::string& owner,
                        std::chrono::milliseconds ttl) override {
    return faults_.run_each("lease", coupon_ids.size(), [&] {
      auto leased = inner_.lease(coupon_ids, owner, ttl);
      for (std::size_t i = 0; i < coupon_ids.size(); ++i) {
        if (foreign_leases.contains(coupon_ids[i])) leased[i] = unusable(coupon_ids[i]);
      }
      return leased;
    });
  }
  PerCoupon<void> release(std::span<const std::string> coupon_ids, const std::string& owner) override {
    return faults_.run_each("release", coupon_ids.size(), [&] { return inner_.release(coupon_ids, owner); });
  }
  PerCoupon<Progress> progress(std::span<const std::string> coupon_ids) override {
    if (on_progress) on_progress(coupon_ids.size());
    return faults_.run_each("progress", coupon_ids.size(), [&] {
      auto found = inner_.progress(coupon_ids);
      for (std::size_t i = 0; i < coupon_ids.size(); ++i) {
        if (is_unusable(coupon_ids[i])) found[i] = unusable(coupon_ids[i]);
      }
      return found;
    });
  }
  Result<std::vector<ActiveCoupon>> active(std::size_t limit) override {
    return faults_.run("active", [&] { return inner_.active(limit); });
  }
  Result<void> settle_active(const std::string& coupon_id, Time last_hint) override {
    return faults_.run("settle_active", [&] { return inner_.settle_active(coupon_id, last_hint); });
  }

  /// Whose outbox and progress cannot be read, as if somebody else had written to their keys.
  std::set<std::string> unusable_outboxes;
  std::set<std::string> foreign_leases;    ///< the same of its relay's lease
  std::set<std::string> unusable_claims;   ///< the same of its state
  std::set<std::string> undecided_claims;  ///< it cannot be decided yet

  /// The entry of a coupon that has this sequence is none that could be read: it fails once it is the next.
  std::map<std::string, Sequence> malformed_entries;

  std::function<void(std::size_t coupons)> on_progress;  ///< sees how many are asked for

 private:
  Result<OutboxRead> read_up_to_malformed(std::span<const Watermark> after, std::size_t entries_max) {
    auto all = inner_.read(after, entries_max, std::chrono::milliseconds(0));
    if (!all) return all;
    for (const auto& [coupon_id, sequence] : malformed_entries) {
      const auto of_coupon = [&](const OutboxEntry& entry) { return entry.coupon_id == coupon_id; };
      const bool some = std::ranges::any_of(all->entries, of_coupon);
      std::erase_if(all->entries, [&](const OutboxEntry& entry) {
        return of_coupon(entry) && entry.last_sequence() >= sequence;
      });
      if (some && std::ranges::none_of(all->entries, of_coupon))
        all->failed.push_back({coupon_id, unusable(coupon_id)});
    }
    return all;
  }

  bool is_unusable(const std::string& coupon_id) const { return unusable_outboxes.contains(coupon_id); }
  static Error unusable(const std::string& coupon_id) {
    return {Errc::gate_unusable, "foreign keys of coupon " + coupon_id};
  }

  MemoryGate& inner_;
  FaultPlan& faults_;
};

/// A gate that is slow: it holds every claim until the test lets it go.
class HoldingGate final : public Gate {
 public:
  explicit HoldingGate(Gate& inner) : inner_(inner) {}

  void claim(ClaimBatch batch, ClaimHandler handler) override {
    held.emplace_back(std::move(batch), std::move(handler));
  }

  /// Decides the oldest claim held.
  void answer() {
    auto [batch, handler] = take();
    inner_.claim(std::move(batch), std::move(handler));
  }

  /// Fails the oldest claim held.
  void fail(Error error) { take().second(std::move(error)); }

  std::deque<std::pair<ClaimBatch, ClaimHandler>> held;

 private:
  std::pair<ClaimBatch, ClaimHandler> take() {
    auto oldest = std::move(held.front());
    held.pop_front();
    return oldest;
  }

  Gate& inner_;
};

}  // namespace seonchak
