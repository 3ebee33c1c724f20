#pragma once
#include <cstdint>
#include <map>
#include <string>

struct rd_kafka_message_s;

namespace seonchak::kafka {

/// "1:OFFSET:TIMESTAMP:BYTES:HASH" of a message: of its key and value, the hash in 16 hex digits.
std::string fingerprint_of(const rd_kafka_message_s& message);

/// Compares the records before the positions at which partitions are read again with what they were. A topic
/// that was deleted and made anew has other ones there.
class RecordsBefore {
 public:
  /// Expects the record before `next_offset`, and returns the offset to read from: that record's, or
  /// `next_offset` when there is nothing to compare.
  std::int64_t expect(std::int32_t partition, std::int64_t next_offset, const std::string& fingerprint);

  enum class Verdict {
    not_asked,  ///< an ordinary message
    same,       ///< the record before the position, and no more
    other,      ///< the log was made anew
    not_yet     ///< the end of a log that has not come that far
  };

  /// Of the next message of its partition, or its end.
  Verdict look(const rd_kafka_message_s& message);

  void clear() { expected_.clear(); }

 private:
  struct Expected {
    std::int64_t offset = 0;
    std::string fingerprint;
  };
  std::map<std::int32_t, Expected> expected_;
};

}  // namespace seonchak::kafka
