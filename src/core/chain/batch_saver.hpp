#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.hpp"
#include "core/chain/consume_batch.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// Brings the issued events of a batch into the store, a transaction a step: all of them together with the
/// position when nothing stands in the way, else in parts and without it. A coupon whose rows the store does
/// not take now is left aside. What a recovery has overtaken is kept as a late claim.
///
/// Used from one thread.
class BatchSaver {
 public:
  /// Per partition owned: the next offset to save.
  using Positions = std::unordered_map<std::int32_t, std::int64_t>;

  BatchSaver(Store& store, EventConsumer& log, CatalogReader& catalog, Metrics& metrics);

  enum class Outcome {
    moved,    ///< the position is behind the batch: it is over
    saved,    ///< some rows are committed, and more may follow
    split,    ///< what was one transaction is tried in parts from here on
    aside,    ///< the rows of coupon() are left aside, for why()
    put_off,  ///< so are they, to be gone on with after others had their turn
    fenced,   ///< another member has moved a position: the batch is none of ours any more
    stuck,    ///< why() must end first
    idle,     ///< all is saved that can be; the position is for somebody else to move
  };

  /// `may_move`: no record of the batch needs anything but to be saved.
  Outcome step(ConsumeBatch& batch, const Positions& positions, bool may_move);

  /// Moves the position alone, over what is settled already. Outcomes: moved, fenced, stuck; aside when only
  /// that must wait, for why().
  Outcome move(const std::map<std::int32_t, LogPosition>& ends, const Positions& positions);

  /// Whether parts of the batch have not been tried yet.
  bool in_pieces() const { return !parts_.empty(); }

  /// What the last step committed.
  const SaveBatch& committed() const { return rows_; }

  const Error& why() const { return why_; }
  const std::string& coupon() const { return coupon_; }

  /// Another batch begins.
  void forget();

  /// The mistake "trim_before_commit" needs to know what is about to be saved.
  std::function<void(const SaveBatch&)> before_commit;

 private:
  using Records = ConsumeBatch::Records;

  void compose(const Records& records, const ConsumeBatch& batch, const Positions* moved);
  Outcome saved(ConsumeBatch& batch, const Records& records, bool whole, bool moves);
  Outcome apart(ConsumeBatch& batch, const Records& records, Error why);
  bool split_by_coupon(const ConsumeBatch& batch, const Records& records, bool anew);
  void leave_aside(ConsumeBatch& batch, const Records& records, Error why);
  Outcome rejected(ConsumeBatch& batch, const Records& records, const Error& error);
  void look_closer(const Records& records);
  Outcome look_anew(ConsumeBatch& batch, Records records);
  Outcome look_for_the_gone(ConsumeBatch& batch);
  Outcome stuck(Error error);

  Store& store_;
  EventConsumer& log_;
  CatalogReader& catalog_;

  SaveBatch rows_;
  Error why_;
  std::string coupon_;
  std::vector<Records> parts_;  // the last one is next; empty: all at once
  bool in_parts_ = false;       // the position is left alone
  std::size_t in_vain_ = 0;     // coupons of this batch that the store does not take now
  std::chrono::nanoseconds in_vain_took_{0};
  std::optional<std::chrono::steady_clock::time_point> rejecting_since_;  // in this batch
  std::size_t rejected_in_a_row_ = 0;
  std::vector<std::string> questioned_;  // coupons of which the store is asked whether they are there
  Records superseded_;                   // the records whose coupons these are
  bool found_gone_ = false;
  Counter& late_;
  Histogram& commit_seconds_;
};

}  // namespace seonchak
