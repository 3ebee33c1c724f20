#include "gate/redis/reply.hpp"

#include <charconv>

#include <hiredis/hiredis.h>

namespace seonchak {

void ReplyDeleter::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

bool is_error(const redisReply& reply, std::string_view code) {
  return reply.type == REDIS_REPLY_ERROR && std::string_view(reply.str, reply.len).starts_with(code);
}

Error refusal(const redisReply& reply) {
  const std::string_view text(reply.str, reply.len);
  const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
  // A script that stumbles over a value ends with ERR; what the server has no place or time for has other
  // codes, but for what Redis 7.0 forbids its user (NOPERM in later ones).
  const bool forbidden = has("The user executing the script can't") || has("Unknown Redis command called");
  const bool content =
      is_error(reply, "WRONGTYPE") || (is_error(reply, "ERR") && has("user_script") && !forbidden);
  return {content ? Errc::gate_unusable : Errc::unavailable, "redis answered " + std::string(text)};
}

std::optional<std::string_view> text_of(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_STRING && reply.type != REDIS_REPLY_STATUS) return std::nullopt;
  return std::string_view(reply.str, reply.len);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> integer_of(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) return reply.integer;
  const auto text = text_of(reply);
  return text ? parse_integer(*text) : std::nullopt;
}

namespace {

constexpr std::int64_t count_max = std::int64_t{1} << 53;

std::optional<std::int64_t> as_count(std::optional<std::int64_t> number) {
  return number && *number >= 0 && *number <= count_max ? number : std::nullopt;
}

std::optional<Time> as_time(std::optional<std::int64_t> millis) {
  return millis ? time_from_millis(*millis) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_count(std::string_view text) {
  return as_count(parse_integer(text));
}
std::optional<std::int64_t> count_of(const redisReply& reply) {
  return as_count(integer_of(reply));
}

std::optional<Time> parse_millis(std::string_view text) {
  return as_time(parse_integer(text));
}
std::optional<Time> time_of(const redisReply& reply) {
  return as_time(integer_of(reply));
}

std::size_t size_of(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY ? reply.elements : 0;
}

const redisReply& element(const redisReply& reply, std::size_t index) {
  return *reply.element[index];
}

}  // namespace seonchak
