#pragma once
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/mutex.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// What this process was told is issued and does not know to be in the store: should the gate lose it, the
/// process can say so. Also which coupons' gates it has reason to doubt. Safe from any thread.
class UnsavedClaims {
 public:
  /// Beyond `holders_max` the oldest are forgotten.
  explicit UnsavedClaims(std::size_t holders_max = 1'000'000) : holders_max_(holders_max) {}

  /// New holders of one gate call, in order of sequence.
  void issued(const std::string& coupon_id, Epoch epoch, std::vector<Holder> holders);

  /// A holder who was told again, and may not be in the store. Remembered once, however often that happens.
  void already_issued(const std::string& coupon_id, Epoch epoch, const Holder& holder);

  /// Forgets what was issued in `epoch` up to `sequence`: the store has it.
  void persisted(const std::string& coupon_id, Epoch epoch, Sequence sequence);

  /// Coupons of which anything is remembered.
  std::vector<std::string> coupons() const;

  static constexpr Epoch every_epoch{std::numeric_limits<std::int64_t>::max()};

  /// A part of what is remembered, in the order in which it was heard.
  struct Page {
    std::vector<KnownClaim> claims;
    std::uint64_t last = 0;  ///< the place of the last one; the one asked after when there is none
  };

  /// What was heard behind the place `after` (0: the beginning) of epochs before `before`: about `claims_max`
  /// claims, since those of one gate call are never parted.
  Page claims(const std::string& coupon_id, std::uint64_t after, Epoch before, std::size_t claims_max) const;

  /// Forgets what was heard up to the place `last` of epochs before `epoch`.
  void forget(const std::string& coupon_id, Epoch epoch, std::uint64_t last);

  /// The gate has answered that its state is missing, another, or lower than `sequence_seen` of `epoch`; or
  /// users ask for a coupon that is shut in `epoch`.
  void doubt(const std::string& coupon_id, Epoch epoch, Sequence sequence_seen);

  struct Doubt {
    Epoch epoch = 0;
    Sequence sequence_seen = 0;
  };
  std::map<std::string, Doubt> take_doubts();

  std::size_t size() const;

 private:
  struct Chunk {
    Epoch epoch = 0;
    std::vector<Holder> holders;
    bool told_again = false;
    std::uint64_t place = 0;  // ascending
  };
  struct Remembered {
    std::deque<Chunk> chunks;
    std::map<Epoch, std::size_t> epochs;  // how many chunks are of each
    bool has_before(Epoch epoch) const { return !epochs.empty() && epochs.begin()->first < epoch; }
  };
  using Told = std::tuple<std::string, Epoch, Sequence>;  // coupon, epoch, sequence

  void add(const std::string& coupon_id, Chunk chunk) REQUIRES(mutex_);
  void drop(const std::string& coupon_id, Remembered& remembered, const Chunk& chunk) REQUIRES(mutex_);
  void forget_oldest() REQUIRES(mutex_);
  template <class Done>
  void forget_if(const std::string& coupon_id, Done done) REQUIRES(mutex_);

  const std::size_t holders_max_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Remembered> coupons_ GUARDED_BY(mutex_);  // none without chunks
  std::size_t size_ GUARDED_BY(mutex_) = 0;
  std::uint64_t last_place_ GUARDED_BY(mutex_) = 0;
  std::set<Told> told_again_ GUARDED_BY(mutex_);  // of the chunks that say so
  std::map<std::string, Doubt> doubts_ GUARDED_BY(mutex_);
};

}  // namespace seonchak
