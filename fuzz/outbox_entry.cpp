#include "fuzz.hpp"
#include "gate/redis/stream.hpp"
#include "redis_input.hpp"

using namespace seonchak;

/// An answer to the reading of outboxes: whatever stands there, no entry without users comes out of it.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Reply reply = fuzz::first_reply(fuzz::text_of(data, size));
  if (!reply) return 0;
  const auto read = read_outbox_entries(*reply);
  if (!read) return 0;
  for (const OutboxEntry& entry : read->entries) {
    fuzz::require(!entry.users.empty());
    fuzz::require(entry.first_sequence >= 1 && entry.last_sequence() >= entry.first_sequence);
  }
  return 0;
}
