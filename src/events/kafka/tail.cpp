#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/fingerprint.hpp"
#include "events/kafka/kafka.hpp"
#include "events/kafka/partition.hpp"
#include "events/kafka/record.hpp"

namespace seonchak {

namespace {

using namespace kafka;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

using Offsets = std::map<std::int32_t, std::int64_t>;

milliseconds until(SteadyClock::time_point when) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(when - SteadyClock::now()));
}

class KafkaTail final : public EventLogTail {
 public:
  explicit KafkaTail(const KafkaOptions& options) : options_(options), target_(parse_url(options.url)) {}

  Result<std::vector<LogPosition>> ends() override {
    const auto ranges = ask_ranges();
    if (!ranges) return ranges.error();
    std::vector<LogPosition> ends;
    for (const auto& [partition, range] : *ranges) ends.push_back({partition, range.end});
    return ends;
  }

  Result<void> start(std::span<const LogPosition> positions) override {
    stop();
    const auto ranges = ask_ranges();
    if (!ranges) return ranges.error();
    for (const auto& [partition, range] : *ranges) {
      const auto named = std::ranges::find(positions, partition, &LogPosition::partition);
      // As the consumer does: a log that is shorter than the position was made anew.
      const bool fits =
          named != positions.end() && named->next_offset >= range.begin && named->next_offset <= range.end;
      next_[partition] = fits && named->next_offset > range.begin
                             ? before_.expect(partition, named->next_offset, named->fingerprint)
                             : range.begin;
    }
    assigned_ = false;
    return {};
  }

  Result<Part> read(std::span<const LogPosition> ends, std::size_t records_max, milliseconds wait) override {
    Offsets unread;
    for (const LogPosition& end : ends) {
      // A partition that is new since the start is read from its beginning.
      const auto [next, added] = next_.try_emplace(end.partition, 0);
      if (added) assigned_ = false;
      if (next->second < end.next_offset) unread.emplace(end.partition, end.next_offset);
    }
    Part part;
    const auto deadline = SteadyClock::now() + wait;
    if (!unread.empty()) {
      if (auto ready = ready_to_read(wait); !ready) return ready.error();
    }
    for (std::size_t records = 0; !unread.empty() && records < records_max;) {
      const MessagePtr message(
          rd_kafka_consumer_poll(client_.get(), static_cast<int>(until(deadline).count())));
      if (!message) break;
      const bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
      const bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
      const auto verdict = record || end ? before_.look(*message) : RecordsBefore::Verdict::not_asked;
      if (verdict == RecordsBefore::Verdict::other) return begin_again(message->partition, std::move(part));
      if (record) {
        ++records;
        LogRecord read = record_of(*message);
        auto* event = std::get_if<IssuedEvent>(&read.message);
        if (event != nullptr && verdict != RecordsBefore::Verdict::same)
          part.events.push_back(std::move(*event));
        part.advanced = true;
        reach(message->partition, message->offset + 1, unread);
      } else if (end) {
        // The offsets before it may belong to markers of transactions, which are never handed out.
        if (message->offset > next_[message->partition]) part.advanced = true;
        reach(message->partition, message->offset, unread);
      } else if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        return failed(part);
      } else {
        if (!logged_by_librdkafka(message->err))
          error_log_.warn("kafka tail has trouble", target_, rd_kafka_message_errstr(message.get()));
        if (SteadyClock::now() >= deadline) break;
      }
    }
    part.at_end = unread.empty();
    return part;
  }

  void stop() override {
    next_.clear();
    before_.clear();
    client_.reset();
    usable_at_ = {};
  }

  const std::string& group() const override { return options_.group; }
  const std::string& topic() const override { return target_.topic; }

 private:
  /// What the topic has now, of all partitions within call_timeout_ms.
  Result<std::map<std::int32_t, LogRange>> ask_ranges() {
    if (auto connected = connect(); !connected) return connected.error();
    const auto deadline = SteadyClock::now() + milliseconds(options_.call_timeout_ms);
    const Topic topic(rd_kafka_topic_new(client_.get(), target_.topic.c_str(), nullptr));
    const auto partitions = partition_count(client_.get(), topic.get(), target_, until(deadline));
    if (!partitions) return Error{Errc::unavailable, partitions.error().message};
    std::map<std::int32_t, LogRange> ranges;
    for (std::int32_t partition = 0; partition < *partitions; ++partition) {
      const auto range = log_range(client_.get(), target_.topic, partition, until(deadline));
      if (!range) return unavailable(range.error().message);
      ranges.emplace(partition, *range);
    }
    return ranges;
  }

  Result<void> connect() {
    if (client_) return {};
    try {
      // Reading in any group needs a name; nothing is committed under it. What a transaction of somebody else
      // holds back from the consumers may be an issued event behind its first record: it is read here.
      client_ =
          make_client(Role::consumer, options_, target_,
                      {{"group.id", options_.group + "-recovery"},
                       {"enable.auto.commit", "false"},
                       {"enable.auto.offset.store", "false"},
                       {"auto.offset.reset", "earliest"},
                       {"enable.partition.eof", "true"},
                       {"isolation.level", "read_uncommitted"},
                       {"queued.max.messages.kbytes", std::to_string(options_.prefetch_kilobytes_max)}});
    } catch (const StartupError& error) {
      return unavailable(error.what());
    }
    rd_kafka_poll_set_consumer(client_.get());
    assigned_ = false;
    return {};
  }

  Result<void> ready_to_read(milliseconds wait) {
    if (!client_) {
      std::this_thread::sleep_for(std::min(wait, until(usable_at_)));
      if (SteadyClock::now() < usable_at_) return unavailable("the client is being replaced");
    }
    if (auto connected = connect(); !connected) return connected;
    if (assigned_) return {};
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(next_.size())));
    for (const auto& [partition, next] : next_)
      rd_kafka_topic_partition_list_add(list.get(), target_.topic.c_str(), partition)->offset = next;
    const auto error = rd_kafka_assign(client_.get(), list.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(error_text(error));
    assigned_ = true;
    return {};
  }

  void reach(std::int32_t partition, std::int64_t offset, Offsets& unread) {
    next_[partition] = offset;
    const auto end = unread.find(partition);
    if (end != unread.end() && offset >= end->second) unread.erase(end);
  }

  Part begin_again(std::int32_t partition, Part part) {
    log::error("kafka topic was made anew under its name; reading it from its beginning",
               {{"topic", target_.topic}, {"partition", partition}});
    next_[partition] = 0;
    assigned_ = false;
    part.advanced = true;
    return part;
  }

  /// The next client goes on where this one was.
  Result<Part> failed(Part& part) {
    const std::string why = fatal_text(client_.get());
    log::error("kafka tail failed and will be replaced", {{"brokers", target_.brokers}, {"reason", why}});
    client_.reset();
    usable_at_ = SteadyClock::now() + milliseconds(options_.recreate_pause_ms);
    if (part.advanced) return std::move(part);
    return unavailable(why);
  }

  Error unavailable(const std::string& reason) const {
    return {Errc::unavailable, "kafka topic " + target_.topic + " at " + target_.brokers + ": " + reason};
  }

  const KafkaOptions options_;
  const Target target_;
  ErrorLog error_log_;
  RecordsBefore before_;
  Offsets next_;                         // to be read, by partition; empty before the first start
  bool assigned_ = false;                // the client reads all of next_
  SteadyClock::time_point usable_at_{};  // a client that fails at once must not be replaced in a hot loop
  Client client_;
};

}  // namespace

std::unique_ptr<EventLogTail> make_kafka_tail(const KafkaOptions& options) {
  return std::make_unique<KafkaTail>(options);
}

}  // namespace seonchak
