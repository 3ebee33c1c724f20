#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "events/kafka/client.hpp"
#include "events/kafka/letter_form.hpp"

namespace seonchak::kafka {

/// A producer for letters, which are waited for: on their way to the dead-letter topic, and back. The
/// broker's limit on sizes decides, not ours. Throws StartupError as make_client does.
Client make_letter_producer(const KafkaOptions& options, const Target& target,
                            const std::function<void(rd_kafka_conf_s*)>& prepare);

/// Writes records that can never succeed to `<topic>-dlt`, as Spring Kafka's DeadLetterPublishingRecoverer
/// does: same key, value and headers, same partition where that topic has it, and the kafka_dlt-* headers.
/// Used from one thread.
class DeadLetterWriter {
 public:
  DeadLetterWriter(const KafkaOptions& options, const Target& target);
  ~DeadLetterWriter();

  /// Sends those of them that are not on their way yet, then waits for the acknowledgements of all in-sync
  /// replicas, at most dead_letter_patience_ms: a topic that hangs must not stop who reads the log. What is
  /// not acknowledged by then stays on its way, and the next call with the same letters asks for it. They
  /// take one round trip together, not one each, or a batch of letters could take longer than a member may
  /// stay away from its group. One that is too large for the topic is written in smaller forms; one that is
  /// so in every form is logged and given up, as it would hold up the others for ever. After an error some
  /// may have been written. Errors: unavailable.
  Result<void> write(const std::vector<Letter>& letters);

  /// What is on its way is asked for no more.
  void forget();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Ticket = std::uintptr_t;

  /// A letter that was sent.
  struct Sent {
    Form form = Form::whole;
    std::optional<int> outcome;  // an error code, once it is reported
  };
  using Key = std::pair<std::int32_t, std::int64_t>;  // partition and offset of the record

  static Key key_of(const Letter& letter);
  Result<void> connect();
  void send(const Letter& letter, Form form, TimePoint until);
  bool wait(const std::vector<Letter>& letters, TimePoint until);
  const Letter* too_large(const std::vector<Letter>& letters) const;
  void give_up(const Letter& letter);
  Result<void> settle(const std::vector<Letter>& letters);
  void report(Ticket ticket, int outcome);

  const KafkaOptions& options_;
  const Target& target_;
  std::map<Key, Sent> sent_;
  std::unordered_map<Ticket, Key> unreported_;
  Ticket last_ticket_ = 0;
  int partitions_ = 0;
  Client client_;
  Topic topic_;
};

}  // namespace seonchak::kafka
