#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/dead_letter.hpp"
#include "events/kafka/fingerprint.hpp"
#include "events/kafka/forgotten.hpp"
#include "events/kafka/group_lag.hpp"
#include "events/kafka/kafka.hpp"
#include "events/kafka/log_ends.hpp"
#include "events/kafka/log_ranges.hpp"
#include "events/kafka/original.hpp"
#include "events/kafka/reading.hpp"
#include "events/kafka/record.hpp"
#include "events/kafka/start_offset.hpp"

namespace seonchak {

namespace {

using namespace kafka;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// A broker answers what comes on one connection in turn: our questions wait behind a fetch that has nothing
/// yet.
constexpr int fetch_wait_ms = 100;

milliseconds until(SteadyClock::time_point when) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(when - SteadyClock::now()));
}

class KafkaConsumer : public EventConsumer {
 public:
  explicit KafkaConsumer(const KafkaOptions& options)
      : options_(options),
        target_(parse_url(options.url)),
        dead_letters_(options_, target_),
        lag_(target_.topic),
        ends_(target_.topic),
        ranges_(options_, target_),
        reading_(target_, ranges_),
        forgotten_(options_, target_, ranges_, reading_) {
    connect();
  }

  ~KafkaConsumer() override { disconnect(); }

  Result<Polled> poll(std::size_t records_max, milliseconds wait) override {
    raw_.clear();
    if (auto ready = ensure_client(wait); !ready) return ready.error();
    lag_.write_if_due(client_.get());
    pause(records_max == 0);
    if (records_max == 0) {
      serve(wait);
    } else {
      fetch(records_max, wait);
    }
    if (ends_.fell(client_.get(), partitions_)) waiting_for_start_ = true;

    if (!failed_ && !changed_ && !waiting_for_start_ && raw_.empty()) {
      const auto wrong = forgotten_.found(client_.get(), partitions_, next_, records_max > 0);
      failed_ = !wrong.empty();
      if (failed_) log::warn("kafka consumer is replaced", {{"topic", target_.topic}, {"why", wrong}});
    }

    Polled polled;
    if (failed_) replace();
    if (std::exchange(changed_, false) || waiting_for_start_) {
      raw_.clear();  // whoever owns the partitions now starts at the store's position
      polled.reassigned = true;
      polled.partitions = partitions_;
      return polled;
    }
    polled.records.reserve(raw_.size());
    for (const MessagePtr& message : raw_) {
      polled.records.push_back(record_of(*message));
      check_order(*message);
    }
    return polled;
  }

  Result<void> start_at(std::span<const LogPosition> positions) override {
    kept_.clear();
    dead_letters_.forget();
    if (partitions_.empty() || !client_) return {};
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
    next_.clear();
    reading_.clear();
    forgotten_.started();
    before_.clear();
    suspicious_ = false;
    // For their leaders; where they cannot be had, each partition stands for itself.
    if (!positions.empty()) static_cast<void>(ranges_.partitions(client_.get()));
    const auto until = SteadyClock::now() + milliseconds(options_.call_timeout_ms);
    for (const std::int32_t partition : partitions_) {
      const auto named = std::ranges::find(positions, partition, &LogPosition::partition);
      auto* entry = rd_kafka_topic_partition_list_add(list.get(), target_.topic.c_str(), partition);
      const bool anew = made_anew_.erase(partition) > 0;
      entry->offset =
          anew || named == positions.end()
              ? RD_KAFKA_OFFSET_BEGINNING
              : start_offset(target_.topic, *named, ranges_.ask(client_.get(), partition, until), before_);
      next_[partition] = std::max<std::int64_t>(0, entry->offset);
    }
    const auto error = rd_kafka_assign(client_.get(), list.get());
    rd_kafka_resume_partitions(client_.get(), list.get());
    paused_ = false;
    // Refused, only another poll can help: it repeats the reassignment, or replaces the client.
    waiting_for_start_ = error != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (waiting_for_start_) trouble(error, "assign");
    return {};
  }

  std::string fingerprint(const LogRecord& record) override {
    const auto raw = raw_of(record);
    return raw == raw_.end() ? std::string() : fingerprint_of(**raw);
  }

  Result<void> dead_letter(std::span<const RefusedRecord> refused) override {
    std::vector<Letter> letters;
    for (const auto& [record, reason] : refused) {
      const auto kept = kept_.find(record->partition, record->offset);
      const auto raw = kept ? raw_.end() : raw_of(*record);
      if (!kept && raw == raw_.end())
        return Error{Errc::invalid, "a dead letter must be a record of the last poll, or kept"};
      letters.push_back({kept ? *kept : original_of(**raw), reason});
    }
    return dead_letters_.write(letters);
  }

  std::size_t keep(std::span<const LogRecord* const> records) override {
    std::size_t bytes = 0;
    auto next = records.begin();  // they come in the order of the poll
    for (const MessagePtr& message : raw_) {
      if (next == records.end()) break;
      if (message->partition != (*next)->partition || message->offset != (*next)->offset) continue;
      bytes += kept_.keep(*message);
      ++next;
    }
    return bytes;
  }

  std::size_t let_go(const LogRecord& record) override {
    return kept_.let_go(record.partition, record.offset);
  }

  void committed(std::span<const LogPosition> positions) override {
    lag_.reached(positions);
    lag_.write_if_due(client_.get());
  }

  Reach reach(const std::string& coupon_id) override {
    if (!client_ || failed_ || changed_ || waiting_for_start_) return Reach::unknown;
    return reading_.reach(client_.get(), partitions_, coupon_id);
  }

  std::vector<LogPosition> held_back() override {
    if (!client_ || waiting_for_start_) return {};
    return reading_.held_back(client_.get(), partitions_);
  }

  const std::string& group() const override { return options_.group; }
  const std::string& topic() const override { return target_.topic; }

 private:
  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* list, void* self) {
    static_cast<KafkaConsumer*>(self)->rebalanced(client, error, list);
  }

  static void on_error(rd_kafka_t*, int error, const char* reason, void* self) {
    if (!logged_by_librdkafka(error)) static_cast<KafkaConsumer*>(self)->trouble(error, reason);
  }

  void connect() {
    client_ = make_client(Role::consumer, options_, target_,
                          {{"group.id", options_.group},
                           {"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"},
                           {"auto.offset.reset", "earliest"},
                           {"enable.partition.eof", "true"},
                           {"fetch.wait.max.ms", std::to_string(fetch_wait_ms)},
                           {"partition.assignment.strategy", "range"},
                           {"isolation.level", "read_committed"},
                           {"session.timeout.ms", std::to_string(options_.session_timeout_ms)},
                           {"heartbeat.interval.ms", std::to_string(options_.session_timeout_ms / 3)},
                           {"queued.max.messages.kbytes", std::to_string(options_.prefetch_kilobytes_max)}},
                          [this](rd_kafka_conf_t* conf) {
                            rd_kafka_conf_set_opaque(conf, this);
                            rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
                            rd_kafka_conf_set_error_cb(conf, on_error);
                          });
    rd_kafka_poll_set_consumer(client_.get());
    const PartitionList topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), target_.topic.c_str(), RD_KAFKA_PARTITION_UA);
    if (const auto error = rd_kafka_subscribe(client_.get(), topics.get());
        error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw StartupError("Kafka topic " + target_.topic + " cannot be subscribed to: " + error_text(error));
    }
  }

  void disconnect() {
    raw_.clear();
    if (!client_) return;
    lag_.write(client_.get());
    close_consumer(client_.get(), milliseconds(options_.close_wait_ms));
    client_.reset();
    revoke();
  }

  void replace() {
    disconnect();
    failed_ = false;
    changed_ = true;
    usable_at_ = SteadyClock::now() + milliseconds(options_.recreate_pause_ms);
  }

  Result<void> ensure_client(milliseconds wait) {
    if (client_) return {};
    std::this_thread::sleep_for(std::min(wait, until(usable_at_)));
    if (SteadyClock::now() < usable_at_)
      return Error{Errc::unavailable, "the kafka consumer is being replaced"};
    try {
      connect();
    } catch (const StartupError& error) {
      client_.reset();
      usable_at_ = SteadyClock::now() + milliseconds(options_.recreate_pause_ms);
      return Error{Errc::unavailable, error.what()};
    }
    log::info("kafka consumer replaced", {{"brokers", target_.brokers}});
    return {};
  }

  /// Nothing is read while it is so.
  void pause(bool paused) {
    if (paused == paused_ || partitions_.empty() || waiting_for_start_) return;
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
    for (const std::int32_t partition : partitions_)
      rd_kafka_topic_partition_list_add(list.get(), target_.topic.c_str(), partition);
    const auto error = paused ? rd_kafka_pause_partitions(client_.get(), list.get())
                              : rd_kafka_resume_partitions(client_.get(), list.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return trouble(error, paused ? "pause" : "resume");
    paused_ = paused;
  }

  /// For the group's sake alone.
  void serve(milliseconds wait) {
    const MessagePtr message(rd_kafka_consumer_poll(client_.get(), static_cast<int>(wait.count())));
    // None comes of paused partitions; one that came would be missing: begin again where the store says.
    if (message && !changed_ && !failed_ && message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
      waiting_for_start_ = true;
  }

  /// Fills raw_: waits for the first message only.
  void fetch(std::size_t records_max, milliseconds wait) {
    const auto deadline = SteadyClock::now() + wait;
    const std::size_t bytes_max = options_.poll_kilobytes_max * 1024;
    std::size_t bytes = 0;
    while (raw_.size() < records_max && bytes < bytes_max) {
      const int timeout_ms = raw_.empty() ? static_cast<int>(until(deadline).count()) : 0;
      MessagePtr message(rd_kafka_consumer_poll(client_.get(), timeout_ms));
      if (changed_ || failed_ || !message) return;
      reading_.saw(*message);
      if (!belongs_here(*message)) {
        if (waiting_for_start_) return;
      } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        bytes += message->len;
        raw_.push_back(std::move(message));
      } else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        trouble(message->err, rd_kafka_message_errstr(message.get()));
        if (timeout_ms == 0) return;
      }
    }
  }

  /// False for what is read only to see whether the log still is the one that the position is of.
  bool belongs_here(const rd_kafka_message_t& message) {
    const bool record = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!record && message.err != RD_KAFKA_RESP_ERR__PARTITION_EOF) return true;
    switch (before_.look(message)) {
      case RecordsBefore::Verdict::same:
        next_[message.partition] = message.offset + 1;
        return false;
      case RecordsBefore::Verdict::other:
        log::error("kafka topic was made anew under its name; reading it from its beginning",
                   {{"topic", target_.topic}, {"partition", message.partition}, {"offset", message.offset}});
        made_anew_.insert(message.partition);
        waiting_for_start_ = true;
        return false;
      case RecordsBefore::Verdict::not_yet:
        waiting_for_start_ = true;
        return false;
      case RecordsBefore::Verdict::not_asked:
        break;
    }
    if (record && suspicious_) waiting_for_start_ = true;
    return !waiting_for_start_;
  }

  std::vector<MessagePtr>::const_iterator raw_of(const LogRecord& record) const {
    return std::ranges::find_if(raw_, [&](const MessagePtr& message) {
      return message->partition == record.partition && message->offset == record.offset;
    });
  }

  void rebalanced(rd_kafka_t* client, rd_kafka_resp_err_t error,
                  const rd_kafka_topic_partition_list_t* list) {
    lag_.write(client_.get());
    revoke();
    changed_ = true;
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      for (int i = 0; i < list->cnt; ++i) partitions_.push_back(list->elems[i].partition);
      std::ranges::sort(partitions_);
      // Nothing is read of new partitions until start_at says where.
      waiting_for_start_ = !partitions_.empty();
      if (!waiting_for_start_) rd_kafka_assign(client, list);
    } else {
      if (error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) trouble(error, "rebalance");
      rd_kafka_assign(client, nullptr);
    }
    log::info("kafka partitions assigned", {{"group", options_.group}, {"partitions", partitions_.size()}});
    rd_kafka_yield(client);  // the caller of poll must know before anything else
  }

  void revoke() {
    partitions_.clear();
    next_.clear();
    ends_.clear();
    reading_.clear();
    forgotten_.rebalanced();
    before_.clear();
    made_anew_.clear();
    lag_.forget();
    waiting_for_start_ = false;
  }

  /// Says so when the log was made anew under a running consumer.
  void check_order(const rd_kafka_message_t& message) {
    std::int64_t& next = next_[message.partition];
    if (message.offset < next) {
      log::warn("kafka log began again", {{"topic", target_.topic},
                                          {"partition", message.partition},
                                          {"position", next},
                                          {"offset", message.offset}});
    }
    next = message.offset + 1;
  }

  void trouble(int error, const std::string& reason) {
    suspicious_ = suspicious_ || error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                  error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (error != RD_KAFKA_RESP_ERR__FATAL) {
      return error_log_.warn("kafka consumer has trouble", target_, reason + ": " + error_text(error));
    }
    if (std::exchange(failed_, true)) return;
    log::error("kafka consumer failed and will be replaced",
               {{"brokers", target_.brokers}, {"reason", fatal_text(client_.get())}});
  }

  const KafkaOptions options_;
  const Target target_;
  DeadLetterWriter dead_letters_;
  ErrorLog error_log_;
  std::vector<std::int32_t> partitions_;  // owned now, in order
  bool changed_ = false;                  // partitions_ is not reported yet
  bool waiting_for_start_ = false;        // partitions_ is not empty and not read yet
  bool paused_ = false;
  bool failed_ = false;                  // the client is of no more use
  SteadyClock::time_point usable_at_{};  // a client that fails at once must not be replaced in a hot loop
  GroupLag lag_;
  std::map<std::int32_t, std::int64_t> next_;  // the next offset expected
  LogEnds ends_;
  LogRanges ranges_;
  Reading reading_;
  Forgotten forgotten_;
  RecordsBefore before_;
  std::set<std::int32_t> made_anew_;  // to be read from the beginning at the next start
  bool suspicious_ = false;           // the topic was away: its next record may be another topic's
  Client client_;
  std::vector<MessagePtr> raw_;  // of the last poll; they go before the client
  KeptMessages kept_;
};

}  // namespace

std::unique_ptr<EventConsumer> make_kafka_consumer(const KafkaOptions& options) {
  return std::make_unique<KafkaConsumer>(options);
}

}  // namespace seonchak
