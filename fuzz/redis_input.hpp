#pragma once
#include <string_view>

#include <hiredis/hiredis.h>

#include "gate/redis/reply.hpp"

namespace seonchak::fuzz {

/// hiredis reserves memory for as many elements as the server announces. That server is trusted not to
/// announce gigabytes, and libFuzzer would report nothing else.
inline bool announces_too_much(std::string_view bytes) {
  constexpr std::size_t digits_max = 4;
  for (std::size_t star = bytes.find_first_of("*%~>"); star != std::string_view::npos;
       star = bytes.find_first_of("*%~>", star + 1)) {
    if (bytes.find_first_not_of("0123456789+", star + 1) > star + 1 + digits_max) return true;
  }
  return false;
}

/// The first reply in these bytes, if there is a whole one.
inline Reply first_reply(std::string_view bytes) {
  if (announces_too_much(bytes)) return nullptr;
  redisReader* const reader = redisReaderCreate();
  redisReaderFeed(reader, bytes.data(), bytes.size());
  void* parsed = nullptr;
  const bool read = redisReaderGetReply(reader, &parsed) == REDIS_OK;
  redisReaderFree(reader);
  return Reply(read ? static_cast<redisReply*>(parsed) : nullptr);
}

}  // namespace seonchak::fuzz
