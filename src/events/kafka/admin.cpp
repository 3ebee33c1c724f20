#include "events/kafka/admin.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include <librdkafka/rdkafka.h>

#include "base/error.hpp"
#include "base/log.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"

namespace seonchak {

namespace {

using namespace kafka;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// The brokers' answer to CreateTopics for both topics, or nothing when there was none in time. Throws
/// StartupError when the settings make no sense.
Admin<rd_kafka_event_t> create_topics(rd_kafka_t* client, const KafkaOptions& options, const Target& target,
                                      int wait_ms) {
  std::array<char, 512> reason{};
  std::array<Admin<rd_kafka_NewTopic_t>, 2> topics;
  std::array<rd_kafka_NewTopic_t*, 2> raw{};
  const std::array<std::string, 2> names = {target.topic, target.dead_letter_topic()};
  for (std::size_t i = 0; i < names.size(); ++i) {
    topics[i].reset(rd_kafka_NewTopic_new(names[i].c_str(), options.partitions, options.replication,
                                          reason.data(), reason.size()));
    if (!topics[i]) throw StartupError("Kafka topic " + names[i] + " cannot be created: " + reason.data());
    raw[i] = topics[i].get();
  }

  const Admin<rd_kafka_AdminOptions_t> request(
      rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(request.get(), wait_ms, reason.data(), reason.size());
  rd_kafka_AdminOptions_set_operation_timeout(request.get(), wait_ms, reason.data(), reason.size());
  const Admin<rd_kafka_queue_t> queue(rd_kafka_queue_new(client));
  rd_kafka_CreateTopics(client, raw.data(), raw.size(), request.get(), queue.get());
  // The request has a limit of its own; one more second for its answer to come through.
  return Admin<rd_kafka_event_t>(rd_kafka_queue_poll(queue.get(), wait_ms + 1'000));
}

/// For an operator who may not create topics: one that is there is enough.
bool exists(rd_kafka_t* client, const std::string& name, const Target& target, int wait_ms) {
  const Topic topic(rd_kafka_topic_new(client, name.c_str(), nullptr));
  return topic && partition_count(client, topic.get(), target, milliseconds(wait_ms));
}

void require_topic(rd_kafka_t* client, const rd_kafka_topic_result_t* result, const KafkaOptions& options,
                   const Target& target) {
  const std::string name = rd_kafka_topic_result_name(result);
  const auto error = rd_kafka_topic_result_error(result);
  if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return log::info("kafka topic created", {{"topic", name}, {"partitions", options.partitions}});
  }
  if (exists(client, name, target, options.call_timeout_ms)) return;
  const char* detail = rd_kafka_topic_result_error_string(result);
  throw StartupError("Kafka at " + target.brokers + " does not create the topic " + name + ": " +
                     error_text(error) + (detail ? std::string(": ") + detail : "") +
                     "; create it by hand, or change the settings");
}

[[noreturn]] void unreachable(const KafkaOptions& options, const Target& target, const std::string& reason) {
  throw StartupError("Kafka at " + target.brokers + " does not answer within " +
                     std::to_string(options.startup_wait_ms / 1'000) + " s: " + reason +
                     "; check the log URL, its login, and that the brokers' advertised.listeners lead here");
}

void require_topics(rd_kafka_t* client, const rd_kafka_event_t* answer, const KafkaOptions& options,
                    const Target& target) {
  std::size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(const_cast<rd_kafka_event_t*>(answer));
  const rd_kafka_topic_result_t** topics = rd_kafka_CreateTopics_result_topics(result, &count);
  for (std::size_t i = 0; i < count; ++i) require_topic(client, topics[i], options, target);
}

}  // namespace

Result<void> kafka::create_topics_again(rd_kafka_s* client, const KafkaOptions& options,
                                        const Target& target) {
  try {
    const auto answer = create_topics(client, options, target, options.check_timeout_ms);
    if (!answer || rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Error{Errc::unavailable,
                   "kafka topic " + target.topic + " is gone, and was not created in time"};
    }
    require_topics(client, answer.get(), options, target);
  } catch (const StartupError& error) {
    return Error{Errc::unavailable, error.what()};
  }
  return {};
}

Result<Copies> kafka::copies_of(rd_kafka_s* client, const std::string& topic,
                                std::chrono::milliseconds wait) {
  const Topic handle(rd_kafka_topic_new(client, topic.c_str(), nullptr));
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto error = rd_kafka_metadata(client, 0, handle.get(), &metadata, static_cast<int>(wait.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Error{Errc::unavailable, error_text(error)};
  Copies copies{metadata->broker_cnt, metadata->broker_cnt};
  for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; ++i)
    copies.replicas = std::min(copies.replicas, metadata->topics[0].partitions[i].replica_cnt);
  rd_kafka_metadata_destroy(metadata);
  return copies;
}

void require_kafka(const KafkaOptions& options) {
  const Target target = parse_url(options.url);
  const Client client = make_client(Role::consumer, options, target, {});
  // Topics are made by one broker, which may hang: those that are there need none.
  const auto until = SteadyClock::now() + milliseconds(options.startup_wait_ms);
  const int look_ms = options.startup_wait_ms / 4;
  if (!exists(client.get(), target.topic, target, look_ms) ||
      !exists(client.get(), target.dead_letter_topic(), target, look_ms)) {
    const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now());
    const auto answer = create_topics(client.get(), options, target, static_cast<int>(left.count()));
    if (!answer) unreachable(options, target, "no answer");
    if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      unreachable(options, target, rd_kafka_event_error_string(answer.get()));
    }
    require_topics(client.get(), answer.get(), options, target);
  }
  for (const std::string& name : {target.topic, target.dead_letter_topic()}) {
    const auto copies = copies_of(client.get(), name, std::chrono::milliseconds(options.call_timeout_ms));
    if (copies && copies->brokers > 1 && copies->replicas == 1) {
      log::warn(
          "kafka keeps a single copy of the topic: a broker that is lost takes events along; raise its "
          "replication, and default.replication.factor",
          {{"topic", name}});
    }
  }
}

}  // namespace seonchak
