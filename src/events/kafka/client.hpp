#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "events/kafka/kafka.hpp"
#include "events/kafka/options.hpp"

struct rd_kafka_AdminOptions_s;
struct rd_kafka_NewTopic_s;
struct rd_kafka_op_s;
struct rd_kafka_queue_s;
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_s;
struct rd_kafka_topic_partition_list_s;

namespace seonchak::kafka {

/// Owners of librdkafka's objects. A topic, and what calls to the brokers' administration need, goes before
/// its client.
struct Destroy {
  void operator()(rd_kafka_s* client) const;  ///< without leaving a group: see close_consumer
  void operator()(rd_kafka_message_s* message) const;
  void operator()(rd_kafka_topic_s* topic) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_AdminOptions_s* options) const;
  void operator()(rd_kafka_NewTopic_s* topic) const;
  void operator()(rd_kafka_op_s* event) const;
  void operator()(rd_kafka_queue_s* queue) const;
};
using Client = std::unique_ptr<rd_kafka_s, Destroy>;
using MessagePtr = std::unique_ptr<rd_kafka_message_s, Destroy>;
using Topic = std::unique_ptr<rd_kafka_topic_s, Destroy>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_s, Destroy>;
template <class T>
using Admin = std::unique_ptr<T, Destroy>;

enum class Role { producer, consumer };
using Properties = std::initializer_list<std::pair<const char*, std::string>>;

/// A client with `own` properties, then the operator's, and the callbacks that `prepare` sets. It logs to
/// base/log. Throws StartupError when librdkafka does not take a property.
Client make_client(Role role, const KafkaOptions& options, const Target& target, Properties own,
                   const std::function<void(rd_kafka_conf_s*)>& prepare = {});

/// Leaves the group, so that others need not wait for a timeout; gives up after `wait`. May call the client's
/// callbacks.
void close_consumer(rd_kafka_s* client, std::chrono::milliseconds wait);

/// The broker that leads each partition of the topic, -1 for none, asked of the brokers. Errors: unavailable;
/// not_found.
Result<std::vector<std::int32_t>> leaders_of(rd_kafka_s* client, rd_kafka_topic_s* topic,
                                             const Target& target, std::chrono::milliseconds wait);

/// How many partitions the topic has, likewise.
Result<int> partition_count(rd_kafka_s* client, rd_kafka_topic_s* topic, const Target& target,
                            std::chrono::milliseconds wait);

/// "no such topic (UNKNOWN_TOPIC_OR_PART)"
std::string error_text(int code);

/// Whether librdkafka writes its own line, at a limited rate, about this error that it reports.
bool logged_by_librdkafka(int code);

/// Why the client has failed for good.
std::string fatal_text(rd_kafka_s* client);

/// Keeps an error that repeats from filling the log: one line per interval.
class ErrorLog {
 public:
  void warn(std::string_view message, const Target& target, std::string_view reason);

 private:
  static constexpr std::chrono::seconds interval_s{10};
  std::chrono::steady_clock::time_point next_{};
  std::size_t suppressed_ = 0;
};

}  // namespace seonchak::kafka
