#include "gate/redis/stream.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "gate/redis/scripts.hpp"

namespace seonchak {

namespace {

std::vector<std::string> split(std::string_view joined) {
  std::vector<std::string> parts;
  for (;;) {
    const auto comma = joined.find(',');
    parts.emplace_back(joined.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    joined.remove_prefix(comma + 1);
  }
}

/// [id, [name, value, ...]] of a stream.
std::optional<OutboxEntry> read_entry(const std::string& coupon_id, const redisReply& reply) {
  if (size_of(reply) != 2) return std::nullopt;
  const auto id = text_of(element(reply, 0));
  if (!id) return std::nullopt;
  const auto last = parse_count(id->substr(0, id->find('-')));

  OutboxEntry entry{coupon_id, 0, 0, {}, {}};
  const redisReply& fields = element(reply, 1);
  for (std::size_t i = 0; i + 1 < size_of(fields); i += 2) {
    const auto name = text_of(element(fields, i));
    const redisReply& value = element(fields, i + 1);
    if (name == "e") entry.epoch = Epoch(count_of(value).value_or(0));
    if (name == "t") entry.issued_at = time_of(value).value_or(Time{});
    if (name == "u") entry.users = split(text_of(value).value_or(""));
  }
  if (!last || entry.epoch == 0 || entry.issued_at == Time{}) return std::nullopt;
  // Whoever writes an event relies on its ids.
  if (entry.users.empty() || !std::ranges::all_of(entry.users, valid_user_id)) return std::nullopt;
  if (*last < static_cast<std::int64_t>(entry.users.size())) return std::nullopt;
  entry.first_sequence = Sequence(*last) - static_cast<std::int64_t>(entry.users.size()) + 1;
  return entry;
}

}  // namespace

std::string read_outbox_command(std::span<const Watermark> after, std::size_t entries_max,
                                std::chrono::milliseconds wait) {
  std::vector<std::string> words = {"XREAD", "COUNT", std::to_string(entries_max)};
  if (wait.count() > 0) words.insert(words.end(), {"BLOCK", std::to_string(wait.count())});
  words.emplace_back("STREAMS");
  for (const Watermark& watermark : after) words.push_back(CouponKeys(watermark.coupon_id).outbox);
  for (const Watermark& watermark : after) words.push_back(to_string(watermark.sequence) + "-0");
  return redis_command(words);
}

Result<OutboxRead> read_outbox_entries(const redisReply& reply) {
  if (is_error(reply)) return refusal(reply);
  OutboxRead read;
  for (std::size_t i = 0; i < size_of(reply); ++i) {
    const redisReply& stream = element(reply, i);
    const auto coupon_id =
        size_of(stream) == 2 ? coupon_of_key(text_of(element(stream, 0)).value_or("")) : std::nullopt;
    if (!coupon_id) return Error{Errc::unavailable, "redis answered a read with a malformed stream"};
    const redisReply& items = element(stream, 1);
    for (std::size_t n = 0; n < size_of(items); ++n) {
      auto entry = read_entry(*coupon_id, element(items, n));
      if (!entry && n == 0)
        read.failed.push_back(
            {*coupon_id,
             {Errc::gate_unusable, "redis has a malformed outbox entry of coupon " + *coupon_id}});
      if (!entry) break;
      read.entries.push_back(std::move(*entry));
    }
  }
  return read;
}

}  // namespace seonchak
