#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/invariant.hpp"
#include "core/catalog/catalog.hpp"
#include "core/ports/event_log.hpp"

namespace seonchak {

/// What is still to become of a record.
enum class Fate : std::uint8_t {
  unknown,  ///< its coupon is not in the catalog
  issued,   ///< to be saved as a row
  late,     ///< decided in an epoch before its coupon's: to be kept until a recovery decides it
  bare,     ///< to be decided by the gate
  refused,  ///< to be dead-lettered
  aside,    ///< to be left for later, as it is: something that it needs is not to be had now
  settled,  ///< nothing but that the position moves behind it
};

/// Records that are handled together: those of one poll, or some that were set aside before. Used from one
/// thread.
class ConsumeBatch {
 public:
  using Records = std::vector<const LogRecord*>;

  ConsumeBatch(std::vector<LogRecord> records, std::chrono::steady_clock::time_point polled_at);

  std::chrono::steady_clock::time_point polled_at() const { return polled_at_; }
  const std::vector<LogRecord>& records() const { return records_; }

  /// Says what is to become of every record that is not settled, by what the catalog has now. True when each
  /// coupon is known.
  bool sort(CatalogReader& catalog);

  /// The coupon is in no store: its records are refused from here on.
  void gone(const std::string& coupon_id);

  /// The unknown coupons are in no store either.
  void refuse_unknown();

  Records with(Fate fate) const;
  bool has(Fate fate) const { return counts_[static_cast<std::size_t>(fate)] > 0; }

  /// Issued and late records, in the log's order.
  Records unsaved() const;
  Fate fate_of(const LogRecord* record) const { return fates_[index_of(record)]; }
  void settle(const LogRecord* record) { set(index_of(record), Fate::settled); }
  void leave_aside(const LogRecord* record) { set(index_of(record), Fate::aside); }
  void refuse(const LogRecord* record, std::string reason);

  /// Refused and not acknowledged by the dead-letter topic yet.
  const std::vector<RefusedRecord>& letters() const { return letters_; }
  void sort_letters();  ///< in the log's order
  std::vector<RefusedRecord> letters_sent();

  /// Everything is settled, or must wait.
  bool all_settled() const { return counts_[static_cast<std::size_t>(Fate::settled)] == records_.size(); }

  /// Gives up the batch for its records.
  std::vector<LogRecord> take_records() && { return std::move(records_); }

  /// The last record of each partition.
  const std::unordered_map<std::int32_t, const LogRecord*>& ends() const { return ends_; }

 private:
  std::size_t index_of(const LogRecord* record) const {
    const auto index = static_cast<std::size_t>(record - records_.data());
    invariant(index < records_.size(), "a record is of the batch that is asked about it");
    return index;
  }
  void set(std::size_t index, Fate fate);

  std::vector<LogRecord> records_;
  std::chrono::steady_clock::time_point polled_at_;
  std::vector<Fate> fates_;  // of records_
  std::size_t counts_[7] = {};
  std::vector<RefusedRecord> letters_;
  std::set<std::string> gone_;
  std::unordered_map<std::int32_t, const LogRecord*> ends_;
};

/// The coupon of an issued event or a bare request.
const std::string& coupon_of(const LogRecord& record);

}  // namespace seonchak
