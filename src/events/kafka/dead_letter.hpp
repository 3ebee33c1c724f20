#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "events/kafka/client.hpp"
#include "events/kafka/original.hpp"

namespace seonchak::kafka {

/// What the reason of a letter says before the sizes, when its value is not all of it.
inline constexpr std::string_view cut_note = " (value cut: ";

/// A producer for letters, which are waited for: on their way to the dead-letter topic, and back. The
/// broker's limit on sizes decides, not ours. Throws StartupError as make_client does.
Client make_letter_producer(const KafkaOptions& options, const Target& target,
                            const std::function<void(rd_kafka_conf_s*)>& prepare);

/// A record that can never succeed, and why.
struct Letter {
  Original original;
  std::string_view reason;
};

/// Writes records that can never succeed to `<topic>-dlt`, as Spring Kafka's DeadLetterPublishingRecoverer
/// does: same key, value and headers, same partition where that topic has it, and the kafka_dlt-* headers.
/// Used from one thread.
class DeadLetterWriter {
 public:
  DeadLetterWriter(const KafkaOptions& options, const Target& target);
  ~DeadLetterWriter();

  /// Sends all, then waits for the acknowledgements of all in-sync replicas: one round trip, not one for each
  /// letter, or a batch of letters could take longer than a member may stay away from its group. A value too
  /// large for the topic, now that it has more headers, is cut to value_bytes_max; the reason says so. After
  /// an error some may have been written. Errors: unavailable.
  Result<void> write(const std::vector<Letter>& letters);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  Result<void> connect();
  Result<int> write_alone(const Letter& letter);
  void begin(std::size_t letters);
  void send(const Letter& letter, std::string_view reason, std::size_t value_bytes, std::size_t index,
            TimePoint deadline);
  Result<void> wait(TimePoint deadline);
  void report(std::uintptr_t ticket, int outcome);
  TimePoint deadline() const;

  const KafkaOptions& options_;
  const Target& target_;
  std::uintptr_t first_ticket_ = 1;  // of what is under way; a late report of an earlier letter is ignored
  std::vector<int> outcomes_;        // by ticket - first_ticket_: error codes, once reported
  std::size_t unreported_ = 0;
  int partitions_ = 0;
  Client client_;
  Topic topic_;
};

}  // namespace seonchak::kafka
