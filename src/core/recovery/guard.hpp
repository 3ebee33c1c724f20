#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/catalog/catalog.hpp"
#include "core/claims/unsaved_claims.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct GuardOptions {
  /// Besides the coupons with demand everything is looked at now and then: how far it has come, and, which
  /// costs the gate more, whether its state has all it should.
  std::size_t sweep_progress_per_step = 6;
  std::size_t sweep_states_per_step = 2;
  std::size_t sweep_haste_max = 32;           ///< times as many while some are found that have lost something
  std::size_t demand_coupons_per_step = 512;  ///< taking turns
  /// A server with a new name is still the same only if its old one was seen this short a time ago.
  std::chrono::milliseconds renamed_max{5'000};
  std::size_t renamed_per_step = 256;  ///< coupons
  std::size_t few_suspects = 1'000;    ///< with more of them all coupons are looked through more seldom
  std::chrono::milliseconds scan_period{1'000};
};

/// Asks whether the gate still is the one the store trusts and has what it had: docs/decisions/0007. Every
/// API process runs one. Used from one thread.
class Guard {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Guard(Store& store, GateControl& control, Outbox& outbox, Catalog& catalog, UnsavedClaims& unsaved_claims,
        GuardOptions options = {});

  /// Looks: one question for the server, and one for each coupon with demand and a few others. False when the
  /// gate did not answer. To be called several times a second.
  bool look();

  /// Which server it is, as last seen.
  const GateIdentity& identity() const { return *identity_; }

  /// Coupons whose gate may not be the one that is trusted: at most `limit` of those that `wanted` wants.
  using Wanted = std::function<bool(const std::string& coupon_id)>;
  std::vector<std::string> suspects_in_demand(std::size_t limit, const Wanted& wanted) const;
  /// The others; closed ones last.
  std::vector<std::string> other_suspects(std::size_t limit, const Wanted& wanted) const;
  bool in_demand(const std::string& coupon_id) const { return demand_.contains(coupon_id); }

  /// How many they are, and since when the first of them.
  std::size_t suspect_count() const { return since_.size(); }
  std::optional<TimePoint> oldest() const;

  /// Looks closely: whether the gate's state of this coupon, as the store has it now, is the trusted one.
  Result<bool> is_sound(const Coupon& row);

  /// It was found sound, or has been recovered.
  void cleared(const std::string& coupon_id);

  /// How far a coupon had come when it was last looked at; nothing when it was not.
  std::optional<Outbox::Progress> progress(const std::string& coupon_id) const;

  /// Looks at this coupon every time, until told that it need not.
  void watch(const std::string& coupon_id) { watched_.insert(coupon_id); }
  void unwatch(const std::string& coupon_id) { watched_.erase(coupon_id); }

 private:
  bool see_identity(const CatalogSnapshot& catalog);
  void see_demand();
  using Coupons = std::vector<std::shared_ptr<const Coupon>>;
  Coupons wanted(const CatalogSnapshot& catalog);
  void sweep();
  Coupons next_swept(std::size_t& turn, std::size_t count) const;
  void ask_progress(const Coupons& coupons);
  void ask_states(const Coupons& coupons);
  void found(std::set<std::string>& suspects, const std::string& coupon_id, bool trusted);
  void weigh_doubts(const CatalogSnapshot& catalog);
  bool suspicious(const Coupon& coupon) const;
  void scan(const CatalogSnapshot& catalog);
  void rename();

  Store& store_;
  GateControl& control_;
  Outbox& outbox_;
  CatalogReader catalog_;
  UnsavedClaims& unsaved_claims_;
  const GuardOptions options_;

  std::optional<GateIdentity> identity_;
  TimePoint seen_at_{};
  std::set<std::string> former_names_;  // of the same server
  std::map<std::string, UnsavedClaims::Doubt> doubts_;
  std::set<std::string> demand_;
  std::set<std::string> watched_;
  std::set<std::string> other_progress_;  // the gate has another epoch of them, or nothing that can be used
  std::set<std::string> other_state_;     // the same by their state, or it has lost holders
  std::unordered_map<std::string, Outbox::Progress> progress_;  // of the last look
  Coupons open_;                                                // for the sweep
  std::vector<std::string> suspects_;                           // of the last scan; closed ones last
  std::map<std::string, TimePoint> since_;                      // the same
  std::vector<CouponFence> to_rename_;                          // of the last scan
  std::uint64_t scanned_version_ = 0;
  TimePoint next_scan_{};
  bool scan_due_ = false;
  std::size_t progress_turn_ = 0;
  std::size_t states_turn_ = 0;
  std::size_t sweep_haste_ = 1;
  std::size_t found_ = 0;  // in this look
  std::size_t demand_turn_ = 0;
};

}  // namespace seonchak
