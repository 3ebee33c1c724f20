#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/catalog/catalog.hpp"
#include "core/chain/outbox_sweep.hpp"
#include "core/ports/gate.hpp"
#include "core/progress/watermarks.hpp"

namespace seonchak {

struct RelayLeasesOptions {
  std::string owner;                      ///< unique per relay: names it in the leases
  std::chrono::milliseconds ttl{3'000};   ///< how long a dead relay's coupons stand still
  std::chrono::milliseconds period{600};  ///< renewal; also how soon another's coupon is asked for again

  /// How often the hints of claims are looked at while users of some coupon wait for the log or the store,
  /// and otherwise.
  std::chrono::milliseconds hints_period{50};
  std::chrono::milliseconds hints_period_unhurried{250};
  std::size_t hints_max = 64;          ///< the latest ones
  std::size_t all_hints_max = 10'000;  ///< once in `period`

  std::chrono::milliseconds quiet{5'000};  ///< drained, and no new hint for so long: given back
  std::size_t settled_per_step_max = 64;   ///< given back at once
  std::chrono::milliseconds unusable_retry{5'000};
  OutboxSweepOptions sweep{};
};

/// Which coupons a relay serves: those that have something to move. It learns of them from users who wait in
/// this process, from the hints that claims leave, and, since hints may be lost, from a slow sweep over all.
/// Without work that costs the gate some commands a second, however many coupons there are.
///
/// Used from one thread.
class RelayLeases {
 public:
  RelayLeases(Outbox& outbox, CatalogReader& catalog, Watermarks& watermarks, RelayLeasesOptions options);

  struct Change {
    std::string coupon_id;
    std::optional<Outbox::Progress> progress;  ///< of a coupon leased now; nothing: it is ours no more
  };
  /// Whether everything that was to be done for a coupon is done.
  using Drained = std::function<bool(const std::string& coupon_id, const Outbox::Progress& progress)>;

  /// Does what is due; with `all_now`, the hints are looked at in any case. A coupon that cannot be used
  /// stops no other. Errors: unavailable.
  Result<std::vector<Change>> step(bool all_now, const Drained& drained);

  /// When step() has something to do.
  std::chrono::steady_clock::time_point due() const;

  /// The coupon had something to move.
  void busy(const std::string& coupon_id);

  /// What waits in its outbox cannot be read: it is let go, and asked for again after a while.
  void cannot_use(const std::string& coupon_id, const Error& error);

  /// All that are served could be read, but for those that cannot_use() has named.
  void could_read();

  /// Asks for all anew with the next step.
  void renew_now() { next_renewal_ = {}; }

  /// Gives all back, so that another relay need not wait for them to run out.
  void release();

  std::size_t count() const { return owned_.size(); }

  /// A coupon whose outbox has something, but cannot be used.
  struct Stuck {
    std::string coupon_id;
    std::string why;
    std::chrono::steady_clock::time_point since;
  };
  std::size_t stuck() const;
  std::optional<Stuck> longest_stuck() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Owned {
    TimePoint busy_at{};         // the last work, or new hint
    std::optional<Time> hint{};  // the latest one seen
  };
  struct Unusable {
    Error error;
    std::optional<TimePoint> waits_since{};  // nothing: its outbox is empty
  };
  using Ids = std::set<std::string>;

  void add(const std::string& id, Ids& ids);
  Result<void> find_hinted(std::size_t limit, Ids& fresh);
  bool users_may_wait();
  Result<std::vector<Change>> lease(const std::vector<std::string>& ids);
  void add_unusable(Ids& ids);
  Unusable& note_unusable(const std::string& id, const Error& error);
  Result<void> look_for_waiting(const std::vector<std::string>& unusable);
  void leave_gone(std::vector<Change>& changes);
  void drop(const std::string& id, TimePoint again_at, std::vector<Change>& changes);
  void give_back(const std::vector<Change>& renewed, const Drained& drained, std::vector<Change>& changes);

  Outbox& outbox_;
  CatalogReader& catalog_;
  Watermarks& watermarks_;
  const RelayLeasesOptions options_;

  OutboxSweep sweep_;
  std::unordered_map<std::string, Owned> owned_;
  std::unordered_map<std::string, TimePoint> not_before_;  // others that are to be asked for again
  std::map<std::string, Unusable> unusable_;
  Ids swept_;  // found by the sweep, not asked for yet
  std::uint64_t wants_seen_ = 0;
  bool may_wait_ = false;
  TimePoint next_look_at_acks_{};
  TimePoint next_hints_{};
  TimePoint next_renewal_{};
};

}  // namespace seonchak
