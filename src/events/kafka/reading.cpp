#include "events/kafka/reading.hpp"

#include <algorithm>

#include <librdkafka/rdkafka.h>

#include "events/kafka/partition.hpp"

namespace seonchak::kafka {

namespace {

using Reach = EventConsumer::Reach;
using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds answer_valid{1'000};
constexpr milliseconds ask_again{10'000};  ///< a partition without a leader costs the consumer a call's time

/// Events written before partitions were added lie in another partition. For so long they are looked for in
/// all.
constexpr milliseconds partitions_settle{60'000};

}  // namespace

void Reading::saw(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    places_[message.partition] = {message.offset + 1, false};
  } else if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // Markers of transactions may lie before it, which are never handed out.
    places_[message.partition] = {message.offset, true};
  }
}

void Reading::clear() {
  places_.clear();
  ends_.clear();
}

std::optional<std::int64_t> Reading::next(std::int32_t partition) const {
  const auto place = places_.find(partition);
  return place == places_.end() ? std::nullopt : std::optional(place->second.next);
}

Reach Reading::reach(rd_kafka_t* client, std::span<const std::int32_t> owned, const std::string& coupon_id) {
  if (owned.empty()) return Reach::unknown;
  const auto count = partitions(client);
  if (!count) return Reach::unknown;
  const bool settled = *count == 1 || SteadyClock::now() - partitions_since_ >= partitions_settle;
  const auto own = std::ranges::find(owned, partition_of(coupon_id, *count));
  if (settled) return own == owned.end() ? Reach::unknown : reach(client, *own);
  if (owned.size() < static_cast<std::size_t>(*count)) return Reach::unknown;
  auto least = Reach::to_end;
  for (const std::int32_t partition : owned) {
    const auto one = reach(client, partition);
    if (one == Reach::unknown) return one;
    if (one == Reach::held_back) least = one;
  }
  return least;
}

Reach Reading::reach(rd_kafka_t* client, std::int32_t partition) {
  const auto last = end(client, partition);
  const auto place = places_.find(partition);
  if (!last || place == places_.end() || place->second.next < *last) return Reach::unknown;
  return is_held_back(client, partition) ? Reach::held_back : Reach::to_end;
}

// The end that comes with what is fetched is the partition's own, that of what can be read another.
bool Reading::is_held_back(rd_kafka_t* client, std::int32_t partition) const {
  const auto place = places_.find(partition);
  if (place == places_.end() || !place->second.at_end) return false;
  std::int64_t low = 0;
  std::int64_t high = 0;
  const auto error = rd_kafka_get_watermark_offsets(client, target_.topic.c_str(), partition, &low, &high);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR && high > place->second.next;
}

std::vector<LogPosition> Reading::held_back(rd_kafka_t* client, std::span<const std::int32_t> owned) const {
  std::vector<LogPosition> held;
  for (const std::int32_t partition : owned) {
    if (is_held_back(client, partition)) held.push_back({partition, places_.at(partition).next});
  }
  return held;
}

template <typename T>
bool Reading::fresh(const std::optional<Answer<T>>& answer) {
  if (!answer) return false;
  return SteadyClock::now() - answer->asked_at < (answer->value ? answer_valid : ask_again);
}

std::optional<int> Reading::partitions(rd_kafka_t* client) {
  if (fresh(partitions_)) return partitions_->value;
  const auto count = ranges_.partitions(client);
  const auto time = SteadyClock::now();
  partitions_ = {count ? std::optional(*count) : std::nullopt, time};
  if (count && *count != std::exchange(last_partitions_, *count)) partitions_since_ = time;
  return partitions_->value;
}

std::optional<std::int64_t> Reading::end(rd_kafka_t* client, std::int32_t partition) {
  auto& answer = ends_[partition];
  if (fresh(answer)) return answer->value;
  const auto last = ranges_.ask_end(client, partition);  // of what can be read: what is committed
  answer = {last, SteadyClock::now()};
  return answer->value;
}

}  // namespace seonchak::kafka
