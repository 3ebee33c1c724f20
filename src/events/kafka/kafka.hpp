#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/ports/event_log.hpp"

namespace seonchak {

/// Where Kafka is and how to use it.
struct KafkaOptions {
  /// kafka://[user:password@]host[:port][,host[:port]...][/topic], the port 9092 and the topic `coupon-issue`
  /// unless given. kafka+ssl:// encrypts. A user logs in with SASL PLAIN. %XX escapes what does not fit a
  /// URL.
  std::string url = "kafka://127.0.0.1:9092/coupon-issue";
  std::string group = "coupon";

  /// Any property of librdkafka, in its own words; applied last. Those that the guarantees rest on are
  /// refused.
  std::vector<std::pair<std::string, std::string>> properties;

  int partitions = 1;    ///< of the topics, when they are created
  int replication = -1;  ///< of the topics, when they are created; -1: the broker's default

  std::size_t queue_events_max = 65'536;  ///< published and not acknowledged
  int linger_ms = 2;                      ///< how long an event may wait for others to share its batch
  std::size_t prefetch_kilobytes_max = 16 * 1024;  ///< fetched and not polled
  std::size_t poll_kilobytes_max =
      16 * 1024;                        ///< a poll of the consumer ends with the record that reaches it
  int session_timeout_ms = 6'000;       ///< until the partitions of a dead consumer move to another
  int metadata_refresh_ms = 10'000;     ///< until new partitions of a topic are seen
  int reconnect_wait_ms_max = 1'000;    ///< between attempts to reach a broker that is away
  int startup_wait_ms = 10'000;         ///< for the brokers to answer at start
  int call_timeout_ms = 5'000;          ///< for one question, or all those of a consumer's start
  int check_timeout_ms = 1'000;         ///< for check(): the relay waits for it; and for one of those
  int dead_letter_wait_ms = 10'000;     ///< for the acknowledgement of a dead letter, until it is sent again
  int dead_letter_patience_ms = 1'000;  ///< how long who reads the log stands still for it
  int letters_wait_ms = 60'000;         ///< to read the dead-letter topic to its end, for its command
  int close_wait_ms = 5'000;            ///< for a publisher to deliver, or a consumer to leave, at the end
  int recreate_pause_ms = 1'000;        ///< between the failure of a client and the use of the next one
};

/// Connects, and creates the topic and its dead-letter topic `<topic>-dlt` where missing. Blocks up to
/// startup_wait_ms. Throws StartupError when the brokers cannot be reached, refuse us, or will not create the
/// topics.
void require_kafka(const KafkaOptions& options);

/// Writes to the topic: idempotent, acknowledged by all in-sync replicas, retried for ever. Each publish is a
/// copy into librdkafka's queue. When a message or the whole client fails for good, the client is replaced
/// and poll() says `lost`. Throws StartupError when a property is wrong; needs no connection.
std::unique_ptr<EventPublisher> make_kafka_publisher(const KafkaOptions& options);

/// Reads the topic without joining the group. Connects when it is started or asked for the ends, which block
/// up to call_timeout_ms, and keeps the connection, with up to prefetch_kilobytes_max, until it is stopped.
/// Events behind an open transaction of somebody else are read, too. Throws StartupError when the URL is
/// wrong.
std::unique_ptr<EventLogTail> make_kafka_tail(const KafkaOptions& options);

/// Asks for the topic, within check_timeout_ms; writes nothing and joins no group. Throws StartupError when a
/// property is wrong; needs no connection.
std::unique_ptr<EventLogProbe> make_kafka_probe(const KafkaOptions& options);

/// Joins the group and reads the topic from the positions that start_at names; the group's own offsets are
/// only written, for lag tools. A kept record is a copy of its message. poll() must be called at least every
/// max.poll.interval.ms (5 minutes), or the partitions go to another member. While a reassignment waits for
/// start_at, poll() repeats it. Throws StartupError when a property is wrong; needs no connection.
std::unique_ptr<EventConsumer> make_kafka_consumer(const KafkaOptions& options);

}  // namespace seonchak
