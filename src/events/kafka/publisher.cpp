#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "events/kafka/admin.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/confirmations.hpp"
#include "events/kafka/kafka.hpp"
#include "events/message.hpp"

namespace seonchak {

namespace {

using namespace kafka;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

milliseconds until(SteadyClock::time_point when) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(when - SteadyClock::now()));
}

class KafkaPublisher : public EventPublisher {
 public:
  explicit KafkaPublisher(const KafkaOptions& options)
      : options_(options), target_(parse_url(options.url)), confirmations_(options.queue_events_max) {
    connect();
  }

  ~KafkaPublisher() override {
    if (!client_) return;
    if (!failed_ && rd_kafka_flush(client_.get(), options_.close_wait_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      log::warn("kafka publisher ends with events that are not acknowledged", {{"events", in_flight()}});
    }
    disconnect();
  }

  std::size_t publish(std::span<const IssuedEvent> events) override {
    if (!client_ || failed_ || SteadyClock::now() < usable_at_) return 0;
    std::size_t taken = 0;
    while (taken < events.size() && confirmations_.has_room_for(events[taken].coupon_id) &&
           produce(events[taken]))
      ++taken;
    return taken;
  }

  Report poll(milliseconds wait) override {
    const auto deadline = SteadyClock::now() + wait;
    Report report;
    do {
      serve(something_to_wait_for() ? until(deadline) : milliseconds(0));
      report.confirmed = confirmations_.take();
      report.lost = failed_;
      if (failed_) replace();
    } while (report.confirmed.empty() && !report.lost && something_to_wait_for() &&
             SteadyClock::now() < deadline);
    return report;
  }

  std::size_t in_flight() const override { return confirmations_.in_flight(); }
  bool durable() const override { return true; }

  Result<void> check() override {
    if (!client_) serve(milliseconds(0));
    if (!client_) return Error{Errc::unavailable, "the kafka publisher failed and is being replaced"};
    const auto count =
        partition_count(client_.get(), topic_.get(), target_, milliseconds(options_.check_timeout_ms));
    if (!count && count.error().code == Errc::not_found)
      return create_topics_again(client_.get(), options_, target_);
    if (!count) return count.error();
    confirmations_.spread(*count);
    return {};
  }

 private:
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
    static_cast<KafkaPublisher*>(self)->delivered(*message);
  }

  static void on_error(rd_kafka_t* client, int error, const char* reason, void* self) {
    auto* publisher = static_cast<KafkaPublisher*>(self);
    if (error == RD_KAFKA_RESP_ERR__FATAL) return publisher->fail(fatal_text(client));
    if (!logged_by_librdkafka(error))
      publisher->error_log_.warn("kafka publisher has trouble", publisher->target_, reason);
  }

  void connect() {
    // lz4: the events of a batch differ in a few digits and their headers hardly at all, so it shrinks the
    // log and the brokers' disks several times for less CPU than the other codecs.
    client_ = make_client(Role::producer, options_, target_,
                          {{"enable.idempotence", "true"},
                           {"acks", "all"},
                           {"message.timeout.ms", "0"},
                           {"linger.ms", std::to_string(options_.linger_ms)},
                           {"compression.codec", "lz4"},
                           {"partitioner", "murmur2_random"},
                           {"queue.buffering.max.messages", std::to_string(options_.queue_events_max)}},
                          [this](rd_kafka_conf_t* conf) {
                            rd_kafka_conf_set_opaque(conf, this);
                            rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
                            rd_kafka_conf_set_error_cb(conf, on_error);
                          });
    topic_.reset(rd_kafka_topic_new(client_.get(), target_.topic.c_str(), nullptr));
    failed_ = false;
  }

  /// Without purging, the end of the client would wait for what is on the wire.
  void disconnect() {
    if (client_) rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    topic_.reset();
    client_.reset();
    confirmations_.clear();
  }

  void replace() {
    disconnect();
    failed_ = false;
    usable_at_ = SteadyClock::now() + milliseconds(options_.recreate_pause_ms);
  }

  void serve(milliseconds wait) {
    const bool pausing = SteadyClock::now() < usable_at_;
    if (pausing) wait = std::min(wait, until(usable_at_));
    if (client_) {
      rd_kafka_poll(client_.get(), static_cast<int>(wait.count()));
      return;
    }
    if (pausing) return std::this_thread::sleep_for(wait);
    try {
      connect();
      log::info("kafka publisher replaced", {{"brokers", target_.brokers}});
    } catch (const StartupError& error) {
      usable_at_ = SteadyClock::now() + milliseconds(options_.recreate_pause_ms);
      error_log_.warn("kafka publisher cannot be replaced yet", target_, error.what());
    }
  }

  bool something_to_wait_for() const { return in_flight() > 0 || !client_; }

  bool produce(const IssuedEvent& event) {
    const auto encoded = encoder_.encode(event);
    const auto ticket = static_cast<std::uintptr_t>(confirmations_.next());
    const auto error = rd_kafka_producev(
        client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(event.coupon_id.data(), event.coupon_id.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(encoded.value.data()), encoded.value.size()),
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(ticket)),
        RD_KAFKA_V_HEADER(header::specversion, header::specversion_value.data(),
                          header::specversion_value.size()),
        RD_KAFKA_V_HEADER(header::id, encoded.id.data(), encoded.id.size()),
        RD_KAFKA_V_HEADER(header::source, header::source_value.data(), header::source_value.size()),
        RD_KAFKA_V_HEADER(header::type, header::type_value.data(), header::type_value.size()),
        RD_KAFKA_V_HEADER(header::time, encoded.time.data(), encoded.time.size()),
        RD_KAFKA_V_HEADER(header::content_type, header::content_type_value.data(),
                          header::content_type_value.size()),
        RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      confirmations_.add(event.coupon_id, event.sequence, event.epoch);
      return true;
    }
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("publish: " + error_text(error));
    return false;
  }

  void delivered(const rd_kafka_message_t& message) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return fail("delivery: " + error_text(message.err));
    confirmations_.delivered(
        static_cast<Confirmations::Ticket>(reinterpret_cast<std::uintptr_t>(message._private)));
  }

  /// The client cannot go on without a gap: everything after the failure must be published again, in order.
  void fail(const std::string& reason) {
    if (std::exchange(failed_, true)) return;
    log::error("kafka publisher failed and will be replaced",
               {{"brokers", target_.brokers}, {"reason", reason}, {"events_in_flight", in_flight()}});
  }

  const KafkaOptions options_;
  const Target target_;
  Confirmations confirmations_;
  MessageEncoder encoder_;
  ErrorLog error_log_;
  bool failed_ = false;
  SteadyClock::time_point usable_at_{};  // a client that fails at once must not be replaced in a hot loop
  Client client_;
  Topic topic_;
};

}  // namespace

std::unique_ptr<EventPublisher> make_kafka_publisher(const KafkaOptions& options) {
  return std::make_unique<KafkaPublisher>(options);
}

}  // namespace seonchak
