#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"

struct redisReply;

namespace seonchak {

struct ReplyDeleter {
  void operator()(redisReply* reply) const;
};

/// What the server answered to one command, an error answer included. Never null.
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

/// The error is always `unavailable`: the command may or may not have been carried out.
using ReplyHandler = std::function<void(Result<Reply>)>;

/// Whether the server refused, and if so whether it starts with this code: "NOSCRIPT", or "" for any.
bool is_error(const redisReply& reply, std::string_view code = {});

/// The server's refusal with its text: `gate_unusable` when it is about the type or the content of a key,
/// else `unavailable`.
Error refusal(const redisReply& reply);

/// The text of a string or status reply, else nothing. Valid as long as the reply.
std::optional<std::string_view> text_of(const redisReply& reply);

/// A decimal number that is all of `text`, else nothing.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// The number in an integer reply, or in a string reply that is wholly one, else nothing.
std::optional<std::int64_t> integer_of(const redisReply& reply);

/// A number of the gate's, which counts in doubles: 0 to 2^53. Nothing for anything else.
std::optional<std::int64_t> parse_count(std::string_view text);
std::optional<std::int64_t> count_of(const redisReply& reply);

/// A time of the gate's, in milliseconds. Nothing beyond what time_from_millis takes.
std::optional<Time> parse_millis(std::string_view text);
std::optional<Time> time_of(const redisReply& reply);

/// The elements of an array reply; 0 for anything else.
std::size_t size_of(const redisReply& reply);
const redisReply& element(const redisReply& reply, std::size_t index);

}  // namespace seonchak
