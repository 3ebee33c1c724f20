#include "events/kafka/dead_letter.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "events/kafka/admin.hpp"

namespace seonchak::kafka {

namespace {

using std::chrono::milliseconds;

// The largest message Kafka can carry; the broker's own limit decides.
constexpr int message_bytes_max = 1'000'000'000;

constexpr int poll_ms = 10;

/// What Spring puts the exception's class into.
constexpr std::string_view exception_name = "seonchak.DeadLetter";

template <class Integer>
std::string big_endian(Integer number) {
  std::string bytes(sizeof number, '\0');
  for (std::size_t i = 0; i < sizeof number; ++i) {
    bytes[i] = static_cast<char>((number >> (8 * (sizeof number - 1 - i))) & 0xff);
  }
  return bytes;
}

/// As Java's TimestampType prints itself.
std::string_view timestamp_type_name(int type) {
  switch (static_cast<rd_kafka_timestamp_type_t>(type)) {
    case RD_KAFKA_TIMESTAMP_CREATE_TIME:
      return "CreateTime";
    case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME:
      return "LogAppendTime";
    case RD_KAFKA_TIMESTAMP_NOT_AVAILABLE:
      break;
  }
  return "NoTimestampType";
}

struct DestroyHeaders {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, DestroyHeaders>;

void add(const Headers& headers, std::string_view name, std::string_view value) {
  rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

Headers dead_letter_headers(const Letter& letter, const Extent& extent, const std::string& topic,
                            const std::string& group) {
  const Original& original = letter.original;
  Headers headers(extent.headers ? rd_kafka_headers_copy(original.headers) : rd_kafka_headers_new(9));
  add(headers, "kafka_dlt-original-topic", topic);
  add(headers, "kafka_dlt-original-partition", big_endian(original.partition));
  add(headers, "kafka_dlt-original-offset", big_endian(original.offset));
  add(headers, "kafka_dlt-original-timestamp", big_endian(original.timestamp));
  add(headers, "kafka_dlt-original-timestamp-type", timestamp_type_name(original.timestamp_type));
  add(headers, "kafka_dlt-original-consumer-group", group);
  add(headers, "kafka_dlt-exception-fqcn", exception_name);
  if (const std::string parts = left_out(original, extent); !parts.empty())
    add(headers, left_out_header, parts);
  add(headers, "kafka_dlt-exception-message", reason_of(letter, extent));
  return headers;
}

}  // namespace

Client make_letter_producer(const KafkaOptions& options, const Target& target,
                            const std::function<void(rd_kafka_conf_s*)>& prepare) {
  return make_client(Role::producer, options, target,
                     {{"acks", "all"},
                      {"message.timeout.ms", std::to_string(options.dead_letter_wait_ms)},
                      {"message.max.bytes", std::to_string(message_bytes_max)},
                      {"linger.ms", "0"},
                      {"partitioner", "murmur2_random"}},
                     prepare);
}

DeadLetterWriter::DeadLetterWriter(const KafkaOptions& options, const Target& target)
    : options_(options), target_(target) {}

DeadLetterWriter::~DeadLetterWriter() {
  if (client_) rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

Result<void> DeadLetterWriter::connect() {
  if (client_ && partitions_ > 0) return {};
  if (!client_) {
    try {
      client_ = make_letter_producer(options_, target_, [this](rd_kafka_conf_t* conf) {
        rd_kafka_conf_set_opaque(conf, this);
        rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
          static_cast<DeadLetterWriter*>(opaque)->report(reinterpret_cast<std::uintptr_t>(message->_private),
                                                         message->err);
        });
      });
    } catch (const StartupError& error) {
      return Error{Errc::unavailable, error.what()};
    }
    topic_.reset(rd_kafka_topic_new(client_.get(), target_.dead_letter_topic().c_str(), nullptr));
  }
  const auto count =
      partition_count(client_.get(), topic_.get(), target_, milliseconds(options_.call_timeout_ms));
  if (!count && count.error().code == Errc::not_found) {
    if (auto created = create_topics_again(client_.get(), options_, target_); !created) return created;
    return Error{Errc::unavailable, count.error().message + ": created"};
  }
  if (!count) return count.error();
  partitions_ = *count;
  return {};
}

Result<void> DeadLetterWriter::write(const std::vector<Letter>& letters) {
  if (auto ready = connect(); !ready) return ready;
  const auto until = std::chrono::steady_clock::now() + milliseconds(options_.dead_letter_patience_ms);
  bool any_sent = false;
  for (const Letter& letter : letters) {
    if (sent_.contains(key_of(letter))) continue;
    send(letter, Form::whole, until);
    any_sent = true;
  }
  // Who has waited for them before only looks whether they have come.
  bool reported = wait(letters, any_sent ? until : TimePoint::min());
  while (reported) {
    const Letter* const letter = too_large(letters);
    if (letter == nullptr) return settle(letters);
    const auto form = smaller(*letter, sent_.at(key_of(*letter)).form);
    if (!form) {
      give_up(*letter);
      continue;
    }
    // Perhaps it only was too large together with others, which by now have all been reported.
    send(*letter, *form, until);
    reported = wait(letters, until);
  }
  return Error{Errc::unavailable,
               "kafka topic " + target_.dead_letter_topic() + ": no acknowledgement in time"};
}

void DeadLetterWriter::forget() {
  sent_.clear();
  unreported_.clear();
}

DeadLetterWriter::Key DeadLetterWriter::key_of(const Letter& letter) {
  return {letter.original.partition, letter.original.offset};
}

void DeadLetterWriter::report(Ticket ticket, int outcome) {
  const auto key = unreported_.extract(ticket);
  if (key.empty()) return;
  sent_.at(key.mapped()).outcome = outcome;
}

void DeadLetterWriter::send(const Letter& letter, Form form, TimePoint until) {
  const Original& original = letter.original;
  const Extent extent = extent_of(letter, form);
  const std::int32_t partition =
      original.partition < partitions_ ? original.partition : RD_KAFKA_PARTITION_UA;
  const Ticket ticket = ++last_ticket_;
  sent_[key_of(letter)] = {form, std::nullopt};
  unreported_.emplace(ticket, key_of(letter));
  Headers headers = dead_letter_headers(letter, extent, target_.topic, options_.group);
  while (true) {
    const auto error =
        rd_kafka_producev(client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(const_cast<void*>(original.key), extent.key_bytes),
                          RD_KAFKA_V_VALUE(const_cast<void*>(original.value), extent.value_bytes),
                          RD_KAFKA_V_HEADERS(headers.get()),
                          RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(ticket)), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    const bool full = error == RD_KAFKA_RESP_ERR__QUEUE_FULL && std::chrono::steady_clock::now() < until;
    if (!full) return report(ticket, error);
    rd_kafka_poll(client_.get(), poll_ms);
  }
  static_cast<void>(headers.release());  // the message's now
}

/// Whether all of them are reported.
bool DeadLetterWriter::wait(const std::vector<Letter>& letters, TimePoint until) {
  const auto is_reported = [this](const Letter& letter) {
    return sent_.at(key_of(letter)).outcome.has_value();
  };
  auto open = letters.begin();
  for (int poll = 0;; poll = poll_ms) {
    rd_kafka_poll(client_.get(), poll);
    open = std::find_if_not(open, letters.end(), is_reported);
    if (open == letters.end()) return true;
    if (std::chrono::steady_clock::now() >= until) return false;
  }
}

/// The first one that may still fit in another form, or is to be given up.
const Letter* DeadLetterWriter::too_large(const std::vector<Letter>& letters) const {
  const auto found = std::ranges::find_if(letters, [this](const Letter& letter) {
    return sent_.at(key_of(letter)).outcome == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
  });
  return found == letters.end() ? nullptr : &*found;
}

/// It counts as written from now on.
void DeadLetterWriter::give_up(const Letter& letter) {
  log::error("record is too large for the dead-letter topic, whatever is left out; it is given up",
             {{"topic", target_.topic},
              {"partition", letter.original.partition},
              {"offset", letter.original.offset},
              {"reason", letter.reason}});
  sent_.at(key_of(letter)).outcome = RD_KAFKA_RESP_ERR_NO_ERROR;
}

/// Nothing is waited for any more; what failed is sent again by the next call.
Result<void> DeadLetterWriter::settle(const std::vector<Letter>& letters) {
  int failure = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const Letter& letter : letters) {
    const int outcome = *sent_.at(key_of(letter)).outcome;
    if (outcome == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    failure = outcome;
    sent_.erase(key_of(letter));
  }
  if (failure == RD_KAFKA_RESP_ERR_NO_ERROR) {
    for (const Letter& letter : letters) sent_.erase(key_of(letter));
    return {};
  }
  partitions_ = 0;  // the topic may have changed: ask again
  return Error{Errc::unavailable, "kafka topic " + target_.dead_letter_topic() + ": " + error_text(failure)};
}

}  // namespace seonchak::kafka
