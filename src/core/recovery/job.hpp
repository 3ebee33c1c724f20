#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/model/times.hpp"
#include "core/ports/gate_recovery.hpp"
#include "core/ports/store.hpp"
#include "core/recovery/guard.hpp"
#include "core/recovery/rebuild.hpp"

namespace seonchak {

struct RecoveryJobOptions {
  /// Between shutting a coupon and taking the union: every process must have seen the new epoch and written
  /// down what it knows by then, answers to calls that were out included. Longer than a gate's call limit,
  /// and with a gate that can fail over longer than IssuerOptions::fence_lease.
  std::chrono::milliseconds recording_grace = safety_times.recording_grace;
  /// Before the end of the grace the store must take an announcement. While it takes none, nobody can make
  /// one, and the grace goes on; once it does, the others have so long for theirs.
  std::chrono::milliseconds announcing_time{250};
  /// A process that has announced that it writes something down is waited for, until it has written nothing
  /// for this long.
  std::chrono::milliseconds recorder_silence{5'000};
  std::chrono::milliseconds recorder_period{50};  ///< between two looks at whether it has finished
  std::size_t rows_page = 10'000;
  std::size_t saved_page = 1'000;
  std::size_t noted_page = 5'000;
  std::size_t rejected_page = 256;
  std::size_t entries_page = 64;
  std::function<std::string()> make_token;  ///< never the same twice, anywhere
  /// A new epoch is not below this. By the clock, so that a store that has fallen back does not draw an epoch
  /// in which coupons have been issued; nothing: one above all that is known.
  std::function<Epoch()> epoch_min{};
};

/// The recovery of one coupon, in bounded pieces, step by step as docs/decisions/0007 numbers them. Each late
/// write compares: the gate's with what was observed, or the token; the store's with the epoch. So a job that
/// was stopped while another took over changes nothing any more. Used from one thread.
class RecoveryJob {
 public:
  struct Ports {
    Store& store;
    GateControl& control;
    GateRecovery& gate;
    Outbox& outbox;
  };
  enum class Stage {
    shut,
    fence,
    recorders,
    tail,
    rows,
    waiting,
    survivors,
    check,
    recorded_claims,
    late,
    saved_earlier,
    unsaved,
    note,
    save,
    settle,
    write_holders,
    write_outbox,
    open,
    reject,
    forget_late,
    done,
  };
  using TimePoint = std::chrono::steady_clock::time_point;

  RecoveryJob(Ports ports, std::string coupon_id, const RecoveryJobOptions& options)
      : ports_(ports), options_(options), id_(std::move(coupon_id)) {}

  const std::string& id() const { return id_; }
  Stage stage() const { return stage_; }
  /// Not to be advanced before.
  TimePoint due() const { return due_; }
  void wait_until(TimePoint due) { due_ = due; }
  TimePoint shut_at() const { return shut_at_; }

  /// Looks closely and shuts the gate. False when there is no need after all. Errors: gate_epoch when another
  /// was faster.
  Result<bool> shut(Guard& guard);

  /// The change of the row that is due once it is shut.
  const CouponFence& fence() const { return fence_; }

  /// The row was changed so: the grace begins.
  void fenced(Coupon row);

  /// What the log has. Only claims of this coupon.
  void logged(std::vector<KnownClaim> claims);

  /// Does the next piece, in every stage but shut, fence, tail and done. `unavailable` and `overloaded`: the
  /// same again, later. Any other error: the job is over, and whoever looks next begins anew.
  Result<void> advance();

  /// Once it is fenced: as committed then.
  const Coupon& coupon() const { return coupon_; }
  /// Once it is done.
  const Rebuilt& rebuilt() const { return rebuilt_; }

 private:
  std::chrono::milliseconds announcing_time() const;
  Result<void> try_to_announce();
  Result<void> wait_for_recorders();
  Result<void> read_rows();
  Result<void> read_waiting();
  Result<void> take_no_prefix();
  Result<void> read_survivors();
  Result<void> check_gate();
  Result<void> read_recorded();
  Result<void> read_late();
  Result<void> find_saved_earlier();
  Result<void> find_unsaved();
  void take_union();
  Result<void> note();
  Result<void> save();
  Result<void> settle();
  Result<void> try_less(std::size_t tried, Error why);
  void leave_out(const Error& why);
  void take_out_rejected();
  Error held(Error error);
  Result<void> write_holders();
  Result<void> write_outbox();
  Result<void> open();
  Result<void> reject();
  Result<void> forget_late();
  void start_over();
  Sequence intact() const { return prefix_ ? remains_.sequence : 0; }
  /// The gate was opened in an epoch that the store has never settled: the store has fallen back.
  bool store_fell_back() const { return remains_.epoch > coupon_.settled; }
  Result<std::vector<Holder>> rows_among(const std::vector<KnownClaim>& claims);

  Ports ports_;
  const RecoveryJobOptions& options_;
  const std::string id_;
  Stage stage_ = Stage::shut;
  TimePoint due_{};
  TimePoint shut_at_{};

  Coupon coupon_;  // as committed with the new epoch; `settled` is the one that was trusted
  CouponFence fence_;
  std::string token_;
  Remains remains_;
  bool prefix_ = false;  // what remains is an earlier moment of the state that was trusted
  bool has_log_ = false;
  std::vector<KnownClaim> logged_;
  std::vector<Recording> recorders_;
  bool announced_ = false;
  TimePoint recorders_heard_{};
  bool row_was_held_ = false;  // and who has announced a recording may have been kept from it

  // Of the union under way.
  KnownHolders known_;
  Sequence rows_after_ = 0;
  Sequence outbox_after_ = 0;
  std::string cursor_;
  std::size_t page_ = 0;  // the next item of the list that a stage works through
  std::vector<KnownClaim> recorded_;
  std::vector<KnownClaim> late_;
  std::vector<KnownClaim> claims_;
  std::unordered_set<std::string> saved_;
  std::vector<KnownClaim> to_note_;
  Rebuilt rebuilt_;
  std::size_t save_at_once_ = options_.saved_page;  // fewer, to find what the store does not take
  std::vector<std::size_t> left_out_;               // the places of those that it rejects, among the pending
  std::vector<OutboxEntry> entries_;
  bool holders_begun_ = false;
  bool open_in_doubt_ = false;
};

}  // namespace seonchak
