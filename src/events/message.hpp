#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/ports/event_log.hpp"

namespace seonchak {

/// The format of the log: docs/reference of the topic `coupon-issue`, in code.
///
/// Value   {"couponId":"1","userId":"42","sequence":17,"issuedAt":"2026-11-22T03:00:00.123Z","epoch":3}
/// Key     the coupon id, so that a coupon's events share a partition
/// Headers CloudEvents 1.0, Kafka protocol binding, binary mode: the names and constants below

/// The largest value decode_message looks into; a larger one is Malformed.
inline constexpr std::size_t value_bytes_max = 64 * 1024;

/// The largest sequence and epoch. Numbers are added to them later on, and JSON's readers know no larger
/// ones.
inline constexpr std::int64_t number_max = std::int64_t{1} << 53;

/// How deep a value may nest (in fields that are ignored).
inline constexpr std::size_t value_depth_max = 16;

namespace header {
inline constexpr const char* specversion = "ce_specversion";
inline constexpr const char* id = "ce_id";  ///< couponId:epoch:sequence
inline constexpr const char* source = "ce_source";
inline constexpr const char* type = "ce_type";
inline constexpr const char* time = "ce_time";  ///< issuedAt
inline constexpr const char* content_type = "content-type";

inline constexpr std::string_view specversion_value = "1.0";
inline constexpr std::string_view source_value = "/seonchak";
inline constexpr std::string_view type_value = "coupon.issued";
inline constexpr std::string_view content_type_value = "application/json";
}  // namespace header

/// Writes events as messages. Keeps its buffers, so that a steady stream of events allocates nothing.
/// Used from one thread.
class MessageEncoder {
 public:
  /// The parts of a message that differ from event to event; valid until the next call.
  struct Encoded {
    std::string_view value;
    std::string_view id;    ///< ce_id
    std::string_view time;  ///< ce_time
  };

  /// The event's ids must be valid_coupon_id and valid_user_id, and its sequence positive: the gate let them
  /// through. An epoch of 0 is left out of the value.
  Encoded encode(const IssuedEvent& event);

 private:
  std::string value_;
  std::string id_;
  std::string time_text_;  // of time_: the events of one gate batch share their time
  std::optional<Time> time_;
};

/// A message as the log returned it.
struct RawMessage {
  std::optional<std::string_view> value;  ///< absent: a tombstone
  /// Looks up the ce_id header, "" when there is none; not asked when the value has the epoch, because the
  /// first look at a message's headers parses and copies them all.
  std::function<std::string_view()> event_id;
  Time timestamp{};  ///< when the record was written, by its producer's or broker's clock
};

/// Reads a value of ours, or one of the origin's.
///
/// - IssuedEvent when `sequence` is there. `couponId` and `userId` are strings or integers, `sequence` an
/// integer from
///   1 to number_max or such a decimal string, `issuedAt` RFC 3339; without `issuedAt` the record's timestamp
///   counts. `epoch` is an integer from 1 to number_max; without it, it comes from an event id that agrees
///   with the value, else it is 0.
/// - BareRequest when it is not: {"couponId":1,"userId":42}.
/// - Malformed, with the reason, for everything else.
///
/// A field that is null counts as missing, unknown fields are ignored. A value that is one JSON string is
/// read as the JSON inside it: that is what Spring's JsonSerializer makes of a String.
Message decode_message(const RawMessage& message);

}  // namespace seonchak
