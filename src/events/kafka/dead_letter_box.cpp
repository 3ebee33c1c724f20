#include "events/kafka/dead_letter_box.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>

#include <librdkafka/rdkafka.h>

#include "base/invariant.hpp"
#include "events/kafka/client.hpp"
#include "events/kafka/dead_letter.hpp"
#include "events/kafka/handled_offsets.hpp"
#include "events/kafka/letter.hpp"
#include "events/kafka/partition.hpp"

namespace seonchak {

namespace {

using namespace kafka;
using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int poll_ms = 100;

/// Of the letters of one call.
constexpr std::size_t letters_bytes_max = 64 * 1024 * 1024;

struct DestroyHeaders {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, DestroyHeaders>;

class KafkaDeadLetterBox final : public DeadLetterBox {
 public:
  explicit KafkaDeadLetterBox(const KafkaOptions& options)
      : options_(options), target_(parse_url(options.url)), topic_(target_.dead_letter_topic()) {
    reader_ = make_client(Role::consumer, options_, target_,
                          {{"group.id", options_.group + "-dead-letters"},
                           {"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"},
                           {"enable.partition.eof", "true"},
                           {"isolation.level", "read_committed"}});
    rd_kafka_poll_set_consumer(reader_.get());
    if (const auto found = find_ranges(); !found) {
      throw StartupError("the dead letters cannot be read: " + found.error().message +
                         "; check --log and that Kafka is up (the topic is made when a server starts)");
    }
  }

  Result<std::vector<DeadLetter>> unhandled(std::size_t limit) override {
    std::map<std::int32_t, LogRange> open;
    std::map<std::int32_t, HandledOffsets> known;
    for (const auto& [partition, range] : ranges_) {
      const auto handled = handled_of(partition, true);
      if (!handled) return handled.error();
      if (handled->next() < range.end) open.emplace(partition, LogRange{handled->next(), range.end});
      known.emplace(partition, *handled);
    }
    std::vector<DeadLetter> letters;
    std::size_t bytes = 0;
    const auto keep = [&](const rd_kafka_message_t& message) {
      if (known.at(message.partition).contains(message.offset)) return true;
      bytes += message.len;
      letters.push_back(letter_of(message));
      return letters.size() < limit && bytes < letters_bytes_max;
    };
    if (auto read_all = read(std::move(open), keep); !read_all) return read_all.error();
    return letters;
  }

  Result<DeadLetter> find(std::int32_t partition, std::int64_t offset) override {
    std::optional<DeadLetter> letter;
    const auto range = ranges_.find(partition);
    if (range != ranges_.end() && offset >= range->second.begin && offset < range->second.end) {
      const auto keep = [&](const rd_kafka_message_t& message) {
        if (message.offset == offset) letter = letter_of(message);
        return false;
      };
      if (auto done = read({{partition, {offset, offset + 1}}}, keep); !done) return done.error();
    }
    if (letter) return std::move(*letter);
    return Error{Errc::not_found, "there is no letter with partition " + std::to_string(partition) +
                                      " and offset " + std::to_string(offset) + " in " + topic_};
  }

  Result<void> replay(const DeadLetter& letter) override {
    if (letter.cut) {
      return Error{Errc::invalid, "the letter holds only a part of the message: " + letter.reason};
    }
    if (auto connected = connect(); !connected) return connected;
    const Headers headers = headers_of(letter);
    const bool old_partition = letter.original_partition && *letter.original_partition >= 0 &&
                               *letter.original_partition < partitions_;
    ++ticket_;
    reported_ = false;
    const auto [key, key_bytes] = bytes_of(letter.key);
    const auto [value, value_bytes] = bytes_of(letter.value);
    const auto error = rd_kafka_producev(
        writer_.get(), RD_KAFKA_V_RKT(main_topic_.get()),
        RD_KAFKA_V_PARTITION(old_partition ? *letter.original_partition : RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_bytes),
        RD_KAFKA_V_VALUE(value, value_bytes), RD_KAFKA_V_HEADERS(rd_kafka_headers_copy(headers.get())),
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(ticket_)), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(target_.topic, error_text(error));
    const auto deadline = SteadyClock::now() + milliseconds(2 * options_.dead_letter_wait_ms);
    while (!reported_ && SteadyClock::now() < deadline) rd_kafka_poll(writer_.get(), poll_ms);
    if (!reported_) return unavailable(target_.topic, "no acknowledgement in time");
    if (outcome_ != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(target_.topic, error_text(outcome_));
    return {};
  }

  Result<void> mark_handled(const DeadLetter& letter) override {
    auto handled = handled_of(letter.partition, false);
    if (!handled) return handled.error();
    handled->add(letter.offset);
    if (handled->text().size() > HandledOffsets::text_bytes_max) {
      return Error{Errc::overloaded, "too many letters are handled out of turn: handle those of partition " +
                                         std::to_string(letter.partition) + " from offset " +
                                         std::to_string(handled->next()) + " on first"};
    }
    return commit(letter.partition, *handled);
  }

 private:
  using Keep = std::function<bool(const rd_kafka_message_t&)>;

  Result<void> find_ranges() {
    const Topic topic(rd_kafka_topic_new(reader_.get(), topic_.c_str(), nullptr));
    const auto count =
        partition_count(reader_.get(), topic.get(), target_, milliseconds(options_.call_timeout_ms));
    if (!count) return count.error();
    for (std::int32_t partition = 0; partition < *count; ++partition) {
      const auto range = log_range(reader_.get(), topic_, partition, milliseconds(options_.call_timeout_ms));
      if (!range) return unavailable(topic_, range.error().message);
      ranges_.emplace(partition, *range);
    }
    return {};
  }

  /// What is handled of a partition; `renew` writes it again as it is.
  Result<HandledOffsets> handled_of(std::int32_t partition, bool renew) {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition);
    auto error = rd_kafka_committed(reader_.get(), list.get(), options_.call_timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = entry->err;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(topic_, error_text(error));
    const LogRange range = ranges_.at(partition);
    // Beyond the end: the topic was made anew, and nothing in it is handled.
    if (entry->offset < 0 || entry->offset > range.end) return HandledOffsets(range.begin);
    const std::string_view text(static_cast<const char*>(entry->metadata), entry->metadata_size);
    auto handled = HandledOffsets::parse(entry->offset, text).value_or(HandledOffsets(entry->offset));
    if (renew) {
      if (auto committed = commit(partition, handled); !committed) return committed.error();
    }
    handled.skip_to(range.begin);
    return handled;
  }

  Result<void> commit(std::int32_t partition, const HandledOffsets& handled) {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition);
    entry->offset = handled.next();
    const std::string text = handled.text();
    if (!text.empty()) {
      entry->metadata = std::malloc(text.size());  // the list frees it
      invariant(entry->metadata != nullptr, "there is memory for a few bytes");
      std::memcpy(entry->metadata, text.data(), text.size());
      entry->metadata_size = text.size();
    }
    constexpr int and_wait = 0;
    const auto error = rd_kafka_commit(reader_.get(), list.get(), and_wait);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(topic_, error_text(error));
    return {};
  }

  /// Gives every message of the ranges to `keep`, until it has enough.
  Result<void> read(std::map<std::int32_t, LogRange> ranges, const Keep& keep) {
    if (ranges.empty()) return {};
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
    for (const auto& [partition, range] : ranges) {
      rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition)->offset = range.begin;
    }
    rd_kafka_assign(reader_.get(), list.get());
    const auto deadline = SteadyClock::now() + milliseconds(options_.letters_wait_ms);
    Result<void> outcome;
    while (!ranges.empty()) {
      if (SteadyClock::now() > deadline) {
        outcome = unavailable(topic_, "its end was not reached in time");
        break;
      }
      const MessagePtr message(rd_kafka_consumer_poll(reader_.get(), poll_ms));
      if (!message) continue;
      const auto range = ranges.find(message->partition);
      if (range == ranges.end()) continue;
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (message->offset >= range->second.end) ranges.erase(range);
        continue;
      }
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      const bool beyond = message->offset >= range->second.end;
      if (message->offset + 1 >= range->second.end) ranges.erase(range);
      if (!beyond && !keep(*message)) break;
    }
    rd_kafka_assign(reader_.get(), nullptr);
    return outcome;
  }

  Result<void> connect() {
    if (writer_) return {};
    try {
      writer_ = make_letter_producer(options_, target_, [this](rd_kafka_conf_t* conf) {
        rd_kafka_conf_set_opaque(conf, this);
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
      });
    } catch (const StartupError& error) {
      return Error{Errc::unavailable, error.what()};
    }
    main_topic_.reset(rd_kafka_topic_new(writer_.get(), target_.topic.c_str(), nullptr));
    const auto count =
        partition_count(writer_.get(), main_topic_.get(), target_, milliseconds(options_.call_timeout_ms));
    if (!count) return count.error();
    partitions_ = *count;
    return {};
  }

  static void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* self = static_cast<KafkaDeadLetterBox*>(opaque);
    if (reinterpret_cast<std::uintptr_t>(message->_private) != self->ticket_) return;
    self->reported_ = true;
    self->outcome_ = message->err;
  }

  static Headers headers_of(const DeadLetter& letter) {
    Headers headers(rd_kafka_headers_new(letter.headers.size()));
    for (const auto& [name, value] : letter.headers) {
      const auto [bytes, size] = bytes_of(value);
      rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), bytes,
                          static_cast<ssize_t>(size));
    }
    return headers;
  }

  static std::pair<void*, std::size_t> bytes_of(const std::optional<std::string>& text) {
    if (!text) return {nullptr, 0};
    return {const_cast<char*>(text->data()), text->size()};
  }

  Error unavailable(const std::string& topic, const std::string& reason) const {
    return {Errc::unavailable, "kafka topic " + topic + " at " + target_.brokers + ": " + reason};
  }

  const KafkaOptions options_;
  const Target target_;
  const std::string topic_;
  Client reader_;
  std::map<std::int32_t, LogRange> ranges_;  // of each partition, when the box was opened
  std::uintptr_t ticket_ = 0;                // of the message under way
  bool reported_ = false;
  int outcome_ = 0;
  int partitions_ = 0;  // of the main topic
  Client writer_;
  Topic main_topic_;  // goes before its client
};

}  // namespace

std::unique_ptr<DeadLetterBox> open_dead_letters(const KafkaOptions& options) {
  return std::make_unique<KafkaDeadLetterBox>(options);
}

}  // namespace seonchak
