#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ticker.hpp"
#include "core/model/coupon.hpp"
#include "core/ports/gate.hpp"
#include "sim/memory_log.hpp"
#include "sim/memory_store.hpp"
#include "sim/scheduler.hpp"

namespace seonchak::sim {

/// One life of an API process, as far as what it records matters.
class Life {
 public:
  bool alive = true;

  /// It was stopped, dead, or without an answer from the store.
  void hinder(Ticker::TimePoint from, Ticker::TimePoint to) { hindrances_.emplace_back(from, to); }

  /// A call by which it records is under way, until ended(): one that takes long hinders.
  std::size_t began(Ticker::TimePoint time) {
    calls_.emplace_back(time, Ticker::TimePoint::max());
    return calls_.size() - 1;
  }
  void ended(std::size_t call, Ticker::TimePoint time) { calls_[call].second = time; }

  /// It has told a recovery, in an epoch of a coupon, that it writes something down: from now on it is waited
  /// for, until it withdraws or has written nothing for too long.
  void announced(const std::string& coupon_id, Epoch epoch, Ticker::TimePoint time) {
    recordings_.try_emplace({coupon_id, epoch}, Recording{time, time});
  }
  void heard(const std::string& coupon_id, Epoch epoch, Ticker::TimePoint time) {
    const auto recording = recordings_.find({coupon_id, epoch});
    if (recording != recordings_.end()) recording->second.heard = time;
  }
  void withdrawn(const std::string& coupon_id, Epoch epoch) { recordings_.erase({coupon_id, epoch}); }
  struct Recording {
    Ticker::TimePoint began{};
    Ticker::TimePoint heard{};
  };
  /// That is under way.
  const Recording* recording(const std::string& coupon_id, Epoch epoch) const {
    const auto found = recordings_.find({coupon_id, epoch});
    return found == recordings_.end() ? nullptr : &found->second;
  }

  /// The longest time between two hindrances.
  Micros longest_free(Ticker::TimePoint from, Ticker::TimePoint to) const;

 private:
  std::vector<std::pair<Ticker::TimePoint, Ticker::TimePoint>> hindrances_;
  std::vector<std::pair<Ticker::TimePoint, Ticker::TimePoint>> calls_;
  std::map<std::pair<std::string, Epoch>, Recording> recordings_;
};

/// What users were promised, and whether it was kept.
class Ledger {
 public:
  struct Options {
    bool durable_log = true;
    Micros recording_needs{};  ///< a process that is free for so long after a fence has recorded
    Micros grace{};            ///< who has announced itself by then is waited for
    Micros silence{};          ///< unless it has written nothing for this long
    Micros lease{};            ///< of answers when the gate can fail over; 0: none
  };

  struct Promise {
    std::string coupon_id;
    std::string user_id;
    Sequence sequence = 0;
    Epoch epoch = 0;           ///< in which the gate said so
    bool reached_log = false;  ///< it was said to be in the log or in the store
    bool pending = false;      ///< it was said to be on its way there
    std::shared_ptr<const Life> told_by;
    Ticker::TimePoint told_at{};
    bool survived = false;  ///< what remained when its coupon was shut had it, and was not lost since
    bool logged = false;    ///< the log had it by then
    bool excused = false;   ///< within the documented limit
  };

  Ledger(MemoryStore& store, const MemoryLog& log, Options options)
      : store_(store), log_(log), options_(options) {}

  void asked(const std::string& coupon_id, const std::string& user_id) {
    asked_.insert({coupon_id, user_id});
  }
  void promised(Promise promise);

  /// A gate has lost something.
  void gate_lost();

  /// A gate's state of a coupon was shut, with what is left in it.
  void shut(const std::string& coupon_id, Epoch epoch, const std::vector<Holder>& survivors);

  /// A coupon's row as committed.
  void committed(const Coupon& row);

  /// Rows that went back to an epoch before theirs, or settled another than theirs: somebody wrote who had
  /// been overtaken.
  const std::vector<std::string>& overtaken_writes() const { return overtaken_writes_; }

  const std::vector<Promise>& promises() const { return promises_; }
  bool was_asked(const std::string& coupon_id, const std::string& user_id) const {
    return asked_.contains({coupon_id, user_id});
  }
  Epoch settled(const std::string& coupon_id) const;

 private:
  struct Known {
    Epoch epoch = 0;
    Epoch settled = 0;
    std::vector<Ticker::TimePoint> fences;  // of the recovery under way, or the last one
    Epoch epoch_of_remains = 0;
    std::set<std::pair<std::string, Sequence>> remains;  // users and their sequences
  };
  bool has_row(const Promise& promise);
  bool in_log(const Promise& promise) const;
  void fenced(const std::string& coupon_id, Known& known);
  bool excusable(const Promise& promise, const Known& known) const;
  bool to_be_waited_for(const Promise& promise, const Known& known) const;

  MemoryStore& store_;
  const MemoryLog& log_;
  const Options options_;
  std::set<std::pair<std::string, std::string>> asked_;
  std::vector<Promise> promises_;
  std::vector<std::string> overtaken_writes_;
  std::map<std::string, Known> coupons_;
  bool gate_lost_ = false;
};

}  // namespace seonchak::sim
