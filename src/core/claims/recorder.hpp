#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/catalog/catalog.hpp"
#include "core/claims/unsaved_claims.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

struct RecorderOptions {
  std::size_t claims_per_statement = 5'000;  ///< at most claims_piece_max less one batch of a gate call
  std::size_t intents_per_step = 64;
};

/// Writes down in the store what this process was told and does not know to be there: while a coupon is being
/// recovered, for that recovery; once it is open again, what that recovery went on without, as late claims.
///
/// It touches the store alone, so that a gate that hangs keeps nobody from recording. Used from
/// one thread, its own.
class Recorder {
 public:
  /// `process` is the name of this life of this process; no other has it.
  Recorder(Store& store, Catalog& catalog, UnsavedClaims& unsaved_claims, std::string process,
           RecorderOptions options = {});

  /// Says of every coupon under recovery that there is something to come, then writes the next piece. To be
  /// called many times a second; at once when it returns true.
  bool step();

 private:
  struct Known {
    std::uint64_t recorded = 0;  // the place in the unsaved claims up to which the store has it
    Epoch announced = 0;         // the epoch of the recovery that waits for us; 0: none
    Epoch refused = 0;           // the store knows of no recovery in this epoch: the catalog is behind
  };

  bool announce(const CatalogSnapshot& catalog, const std::vector<std::string>& ids);
  bool record(const Coupon& coupon, Known& known);
  bool hand_over(const Coupon& coupon, Known& known);
  bool has_more(const std::string& coupon_id, const Known& known) const;
  void withdraw(const std::string& coupon_id, Known& known);

  Store& store_;
  CatalogReader catalog_;
  UnsavedClaims& unsaved_claims_;
  const std::string process_;
  const RecorderOptions options_;
  std::map<std::string, Known> known_;  // by coupon; of those of which anything is remembered
  std::string turn_;                    // the coupon that was written last
};

}  // namespace seonchak
