#include "events/kafka/client.hpp"

#include <array>
#include <future>
#include <memory>
#include <thread>

#include <librdkafka/rdkafka.h>

#include "base/error.hpp"
#include "base/log.hpp"

namespace seonchak::kafka {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds destroy_wait{1'000};

/// From librdkafka's own threads; it must not call back into librdkafka.
void write_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  const log::Fields fields = {{"facility", facility}, {"text", text}};
  constexpr int critical = 2, warning = 4, info = 6;  // syslog's levels
  if (level <= critical) return log::error("librdkafka", fields);
  // Level 3 too: an unreachable broker is "error" there, and heals by itself.
  if (level <= warning) return log::warn("librdkafka", fields);
  if (level <= info) return log::info("librdkafka", fields);
  log::debug("librdkafka", fields);
}

struct DestroyConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, DestroyConf>;

void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK)
    return;
  throw StartupError("librdkafka does not take the property " + name + ": " + reason.data());
}

void set_target(rd_kafka_conf_t* conf, const Target& target) {
  set(conf, "bootstrap.servers", target.brokers);
  set(conf, "client.id", "seonchak");
  set(conf, "security.protocol", std::string(target.security_protocol()));
  if (target.user.empty()) return;
  set(conf, "sasl.mechanisms", "PLAIN");
  set(conf, "sasl.username", target.user);
  set(conf, "sasl.password", target.password);
}

void set_operators(rd_kafka_conf_t* conf, const KafkaOptions& options) {
  for (const auto& [name, value] : options.properties) {
    if (reserved_property(name)) {
      throw StartupError("the librdkafka property " + name +
                         " is not yours to set: seonchak's guarantees rest on it");
    }
    set(conf, name, value);
  }
}

}  // namespace

// Without its brokers librdkafka may never finish destroying a client (its issue 4519); then we leave it to
// its thread.
void Destroy::operator()(rd_kafka_s* client) const {
  auto destroyed = std::make_shared<std::promise<void>>();
  auto finished = destroyed->get_future();
  std::thread([client, destroyed] {
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    destroyed->set_value();
  }).detach();
  if (finished.wait_for(destroy_wait) == std::future_status::timeout) {
    log::warn("kafka client left behind: librdkafka does not let go of it");
  }
}
void Destroy::operator()(rd_kafka_message_s* message) const {
  rd_kafka_message_destroy(message);
}
void Destroy::operator()(rd_kafka_topic_s* topic) const {
  rd_kafka_topic_destroy(topic);
}
void Destroy::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}
void Destroy::operator()(rd_kafka_AdminOptions_s* options) const {
  rd_kafka_AdminOptions_destroy(options);
}
void Destroy::operator()(rd_kafka_NewTopic_s* topic) const {
  rd_kafka_NewTopic_destroy(topic);
}
void Destroy::operator()(rd_kafka_op_s* event) const {
  rd_kafka_event_destroy(event);
}
void Destroy::operator()(rd_kafka_queue_s* queue) const {
  rd_kafka_queue_destroy(queue);
}

Client make_client(Role role, const KafkaOptions& options, const Target& target, Properties own,
                   const std::function<void(rd_kafka_conf_s*)>& prepare) {
  Conf conf(rd_kafka_conf_new());
  set_target(conf.get(), target);
  set(conf.get(), "reconnect.backoff.max.ms", std::to_string(options.reconnect_wait_ms_max));
  set(conf.get(), "topic.metadata.refresh.interval.ms", std::to_string(options.metadata_refresh_ms));
  // A topic that a broker creates by itself has the broker's number of partitions, not the operator's.
  set(conf.get(), "allow.auto.create.topics", "false");
  for (const auto& [name, value] : own) set(conf.get(), name, value);
  set_operators(conf.get(), options);
  rd_kafka_conf_set_log_cb(conf.get(), write_log);
  if (prepare) prepare(conf.get());

  std::array<char, 512> reason{};
  const auto type = role == Role::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  Client client(rd_kafka_new(type, conf.get(), reason.data(), reason.size()));
  if (!client)
    throw StartupError(std::string("librdkafka does not start; check its properties: ") + reason.data());
  static_cast<void>(conf.release());  // the client's now
  return client;
}

void close_consumer(rd_kafka_s* client, std::chrono::milliseconds wait) {
  constexpr int slice_ms = 50;
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  if (rd_kafka_error_t* error = rd_kafka_consumer_close_queue(client, queue)) {
    log::warn("kafka consumer does not leave its group", {{"reason", rd_kafka_error_string(error)}});
    rd_kafka_error_destroy(error);
  } else {
    const auto deadline = Clock::now() + wait;
    while (!rd_kafka_consumer_closed(client) && Clock::now() < deadline) {
      rd_kafka_event_t* event = rd_kafka_queue_poll(queue, slice_ms);
      // As an event or through the client's rebalance callback: the last revocation wants an answer.
      if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) rd_kafka_assign(client, nullptr);
      if (event) rd_kafka_event_destroy(event);
    }
  }
  rd_kafka_queue_destroy(queue);
}

Result<std::vector<std::int32_t>> leaders_of(rd_kafka_s* client, rd_kafka_topic_s* topic,
                                             const Target& target, std::chrono::milliseconds wait) {
  const rd_kafka_metadata_t* metadata = nullptr;
  auto error = rd_kafka_metadata(client, 0, topic, &metadata, static_cast<int>(wait.count()));
  std::vector<std::int32_t> leaders;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (metadata->topic_cnt == 1) {
      const auto& found = metadata->topics[0];
      error = found.err;
      leaders.assign(static_cast<std::size_t>(found.partition_cnt), -1);
      for (int i = 0; i < found.partition_cnt; ++i) {
        const auto& partition = found.partitions[i];
        if (partition.id >= 0 && partition.id < found.partition_cnt)
          leaders[static_cast<std::size_t>(partition.id)] = partition.leader;
      }
    }
    rd_kafka_metadata_destroy(metadata);
  }
  const std::string name = rd_kafka_topic_name(topic);
  if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    return Error{Errc::not_found, "kafka " + target.brokers + " has no topic " + name};
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Error{Errc::unavailable, "kafka " + target.brokers + ", topic " + name + ": " + error_text(error)};
  }
  if (leaders.empty()) return Error{Errc::unavailable, "kafka topic " + name + " has no partitions"};
  return leaders;
}

Result<int> partition_count(rd_kafka_s* client, rd_kafka_topic_s* topic, const Target& target,
                            std::chrono::milliseconds wait) {
  const auto leaders = leaders_of(client, topic, target, wait);
  if (!leaders) return leaders.error();
  return static_cast<int>(leaders->size());
}

std::string error_text(int code) {
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  return std::string(rd_kafka_err2str(error)) + " (" + rd_kafka_err2name(error) + ")";
}

bool logged_by_librdkafka(int code) {
  return code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

std::string fatal_text(rd_kafka_s* client) {
  std::array<char, 512> reason{};
  const auto error = rd_kafka_fatal_error(client, reason.data(), reason.size());
  return error_text(error) + ": " + reason.data();
}

void ErrorLog::warn(std::string_view message, const Target& target, std::string_view reason) {
  const auto time = Clock::now();
  if (time < next_) {
    ++suppressed_;
    return;
  }
  next_ = time + interval_s;
  log::warn(message,
            {{"brokers", target.brokers}, {"reason", reason}, {"suppressed", std::exchange(suppressed_, 0)}});
}

}  // namespace seonchak::kafka
