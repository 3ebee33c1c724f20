#include "core/recovery/tail.hpp"

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

// A record that waits keeps the position back for as long as it likes.
TEST(RecoveryTail, BeyondItsLimitItKeepsOnlyWhatHasNoRow) {
  World world;
  MemoryLog log;
  world.create("c", 100);
  world.issue("c", 12);
  RelayLife(world, log).drain();
  SaveBatch rows;
  for (const OutboxEntry& entry : world.outbox("c")) {
    if (entry.first_sequence != 9 && entry.first_sequence != 11)
      rows.events.push_back({"c", entry.users.front(), entry.first_sequence, entry.issued_at, entry.epoch});
  }
  ASSERT_TRUE(world.sqlite->save(rows));
  const auto reader = log.tail();
  RecoveryTail tail(world.store, *reader, {.records_max = 5, .wait = no_wait, .claims_max = 4});
  const std::vector<CouponEpoch> fenced = {{"c", 2}};
  ASSERT_TRUE(tail.begin(fenced));
  while (tail.read().value() != RecoveryTail::Read::all) {
  }
  std::vector<Sequence> kept;
  for (const KnownClaim& claim : tail.take("c")) kept.push_back(claim.holder.sequence);
  EXPECT_EQ(kept, (std::vector<Sequence>{1, 2, 3, 4, 9, 11}));
}

}  // namespace
}  // namespace seonchak
