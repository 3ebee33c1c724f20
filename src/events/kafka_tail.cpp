#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>

#include <librdkafka/rdkafka.h>

#include "events/kafka.hpp"
#include "events/kafka_client.hpp"
#include "events/kafka_record.hpp"

namespace seonchak {

namespace {

using namespace kafka;
using SteadyClock = std::chrono::steady_clock;

constexpr int poll_ms = 100;

/// From the offset it begins at to the end it had when it was asked.
struct Range {
  std::int64_t next = 0;
  std::int64_t end = 0;
};
using Ranges = std::map<std::int32_t, Range>;

class KafkaTail final : public EventLogTail {
 public:
  explicit KafkaTail(const KafkaOptions& options) : options_(options), target_(parse_url(options.url)) {}

  Result<std::vector<IssuedEvent>> events_after(std::span<const LogPosition> positions,
                                                std::size_t events_max) override {
    // A new client each time: it is needed once in a blue moon. Reading in any group needs a name; nothing is
    // committed under it.
    const Client client = make_client(Role::consumer, options_, target_,
                                      {{"group.id", options_.group + "-recovery"},
                                       {"enable.auto.commit", "false"},
                                       {"enable.auto.offset.store", "false"},
                                       {"enable.partition.eof", "true"},
                                       {"isolation.level", "read_committed"}});
    rd_kafka_poll_set_consumer(client.get());
    auto ranges = ranges_to_read(client.get(), positions);
    if (!ranges) return ranges.error();
    if (ranges->empty()) return std::vector<IssuedEvent>();
    assign(client.get(), *ranges);
    auto events = read(client.get(), *ranges, events_max);
    rd_kafka_assign(client.get(), nullptr);
    return events;
  }

  const std::string& group() const override { return options_.group; }
  const std::string& topic() const override { return target_.topic; }

 private:
  Result<Ranges> ranges_to_read(rd_kafka_t* client, std::span<const LogPosition> positions) {
    const Topic topic(rd_kafka_topic_new(client, target_.topic.c_str(), nullptr));
    const auto partitions =
        partition_count(client, topic.get(), target_, std::chrono::milliseconds(options_.call_timeout_ms));
    if (!partitions) return partitions.error();
    Ranges ranges;
    for (std::int32_t partition = 0; partition < *partitions; ++partition) {
      Range range;
      std::int64_t low = 0;
      const auto error = rd_kafka_query_watermark_offsets(client, target_.topic.c_str(), partition, &low,
                                                          &range.end, options_.call_timeout_ms);
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(error_text(error));
      const auto named = std::ranges::find(positions, partition, &LogPosition::partition);
      // As the consumer does: a log that is shorter than the position was made anew.
      const bool fits =
          named != positions.end() && named->next_offset >= low && named->next_offset <= range.end;
      range.next = fits ? named->next_offset : low;
      if (range.next < range.end) ranges.emplace(partition, range);
    }
    return ranges;
  }

  void assign(rd_kafka_t* client, const Ranges& ranges) {
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
    for (const auto& [partition, range] : ranges) {
      rd_kafka_topic_partition_list_add(list.get(), target_.topic.c_str(), partition)->offset = range.next;
    }
    rd_kafka_assign(client, list.get());
  }

  Result<std::vector<IssuedEvent>> read(rd_kafka_t* client, Ranges& ranges, std::size_t events_max) {
    std::vector<IssuedEvent> events;
    const auto deadline = SteadyClock::now() + std::chrono::milliseconds(options_.tail_wait_ms);
    while (!ranges.empty()) {
      if (SteadyClock::now() > deadline) return unavailable("the end of the log was not reached in time");
      const MessagePtr message(rd_kafka_consumer_poll(client, poll_ms));
      if (!message) continue;
      const auto range = ranges.find(message->partition);
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        // The last offsets may belong to markers of transactions, which are never delivered.
        if (range != ranges.end() && message->offset >= range->second.end) ranges.erase(range);
        continue;
      }
      if (message->err == RD_KAFKA_RESP_ERR__FATAL) return unavailable(fatal_text(client));
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || range == ranges.end()) continue;
      LogRecord record = record_of(*message);
      if (auto* event = std::get_if<IssuedEvent>(&record.message)) {
        if (events.size() >= events_max) return too_many(events_max);
        events.push_back(std::move(*event));
      }
      if (record.offset + 1 >= range->second.end) ranges.erase(range);
    }
    return events;
  }

  Error unavailable(const std::string& reason) const {
    return {Errc::unavailable, "kafka topic " + target_.topic + " at " + target_.brokers + ": " + reason};
  }

  const KafkaOptions options_;
  const Target target_;
};

}  // namespace

std::unique_ptr<EventLogTail> make_kafka_tail(const KafkaOptions& options) {
  return std::make_unique<KafkaTail>(options);
}

}  // namespace seonchak
