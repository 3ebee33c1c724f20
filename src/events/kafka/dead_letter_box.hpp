#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "events/kafka/kafka.hpp"

namespace seonchak {

/// A message of the dead-letter topic.
struct DeadLetter {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Time written_at{};
  std::string original_topic;  ///< "" when the letter does not say, like the next two
  std::optional<std::int32_t> original_partition;
  std::optional<std::int64_t> original_offset;
  std::string reason;
  bool cut = false;  ///< something of the message is missing: of its value, its key or its headers
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;  ///< the message's own
};

/// What becomes of dead letters. Which of them are handled is kept in Kafka itself, as the position of the
/// group `<group>-dead-letters` on the dead-letter topic: every letter below it is handled, and those above
/// it that are handled, too, are listed in the position's metadata. Used from one thread, by one process at a
/// time; of two that write at once one may forget what the other has just handled.
class DeadLetterBox {
 public:
  virtual ~DeadLetterBox() = default;

  /// Letters that nobody has handled, oldest first in each partition, none that came after the box was
  /// opened; at most `limit`, and fewer when they are large: the next call goes on once these are handled.
  /// Renews the position, which Kafka forgets otherwise. Errors: unavailable.
  virtual Result<std::vector<DeadLetter>> unhandled(std::size_t limit) = 0;

  /// That letter, handled or not. Errors: unavailable, not_found.
  virtual Result<DeadLetter> find(std::int32_t partition, std::int64_t offset) = 0;

  /// Writes the letter's key, value and own headers to the topic, into its old partition where there is one,
  /// and waits for the acknowledgement of all in-sync replicas. Errors: unavailable, invalid when it is cut.
  virtual Result<void> replay(const DeadLetter& letter) = 0;

  /// Errors: unavailable; overloaded when too many letters are handled out of turn.
  virtual Result<void> mark_handled(const DeadLetter& letter) = 0;
};

/// Throws StartupError when Kafka or its dead-letter topic cannot be reached.
std::unique_ptr<DeadLetterBox> open_dead_letters(const KafkaOptions& options);

}  // namespace seonchak
