#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "events/kafka_client.hpp"

namespace seonchak::kafka {

/// What the reason of a letter says before the sizes, when its value is not all of it.
inline constexpr std::string_view cut_note = " (value cut: ";

/// A producer for letters, which are waited for one at a time: on their way to the dead-letter topic, and
/// back. The broker's limit on sizes decides, not ours. Throws StartupError as make_client does.
Client make_letter_producer(const KafkaOptions& options, const Target& target,
                            const std::function<void(rd_kafka_conf_s*)>& prepare);

/// Writes records that can never succeed to `<topic>-dlt`, as Spring Kafka's DeadLetterPublishingRecoverer
/// does: same key, value and headers, same partition where that topic has it, and the kafka_dlt-* headers.
/// Used from one thread.
class DeadLetterWriter {
 public:
  DeadLetterWriter(const KafkaOptions& options, const Target& target);
  ~DeadLetterWriter();

  /// Waits for the acknowledgement of all in-sync replicas. A value too large for the topic, now that it has
  /// more headers, is cut to value_bytes_max; the reason says so. Errors: unavailable.
  Result<void> write(const rd_kafka_message_s& original, const std::string& reason);

 private:
  Result<void> connect();
  Result<int> send(const rd_kafka_message_s& original, const std::string& reason, std::size_t value_bytes);

  const KafkaOptions& options_;
  const Target& target_;
  std::uintptr_t ticket_ = 0;  // of the write under way; a late report of an earlier one is ignored
  bool reported_ = false;      // ticket_ has its delivery report
  int outcome_ = 0;            // the report's error code
  int partitions_ = 0;
  Client client_;
  Topic topic_;
};

}  // namespace seonchak::kafka
