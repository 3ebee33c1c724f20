#include "events/kafka/confirmations.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "events/kafka/partition.hpp"

namespace seonchak::kafka {
namespace {

using Ticket = Confirmations::Ticket;

Ticket add(Confirmations& confirmations, const std::string& coupon_id, Sequence sequence) {
  const Ticket ticket = confirmations.next();
  confirmations.add(coupon_id, sequence, 1);
  return ticket;
}

TEST(Confirmations, ASequenceWaitsForThoseQueuedBeforeIt) {
  Confirmations confirmations(8);
  const Ticket first = add(confirmations, "x", 1);
  const Ticket second = add(confirmations, "x", 2);
  const Ticket third = add(confirmations, "x", 3);
  confirmations.delivered(third);
  confirmations.delivered(second);
  EXPECT_TRUE(confirmations.take().empty());
  EXPECT_EQ(confirmations.in_flight(), 3u);
  confirmations.delivered(first);
  EXPECT_EQ(confirmations.take(), (std::vector<Watermark>{{"x", 3, 1}}));
  EXPECT_TRUE(confirmations.take().empty());
  EXPECT_EQ(confirmations.in_flight(), 0u);
}

/// How many events of a coupon find room.
std::size_t fill(Confirmations& confirmations, const std::string& coupon_id) {
  std::size_t added = 0;
  while (confirmations.has_room_for(coupon_id))
    add(confirmations, coupon_id, Sequence(static_cast<std::int64_t>(++added)));
  return added;
}

std::string coupon_of(std::int32_t partition, int partitions, const std::string& prefix = "c") {
  for (int i = 0;; ++i) {
    const std::string id = prefix + std::to_string(i);
    if (partition_of(id, partitions) == partition) return id;
  }
}

TEST(Confirmations, TheOnlyPartitionHasAllRoom) {
  Confirmations confirmations(100);
  EXPECT_EQ(fill(confirmations, "x"), 100u);
}

TEST(Confirmations, NoPartitionTakesTheRoomOfTheOthers) {
  Confirmations confirmations(120);
  confirmations.spread(3);
  EXPECT_EQ(fill(confirmations, coupon_of(0, 3)), 60u);
  EXPECT_EQ(fill(confirmations, coupon_of(0, 3, "another")), 0u) << "no more for many coupons of it";
  EXPECT_EQ(fill(confirmations, coupon_of(1, 3)), 30u);
  const std::string well = coupon_of(2, 3);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(confirmations.has_room_for(well));
    confirmations.delivered(add(confirmations, well, i + 1));
  }
}

TEST(Confirmations, WhatWasQueuedBeforeThePartitionsWereKnownCounts) {
  Confirmations confirmations(100);
  const std::string sick = coupon_of(1, 2);
  const Ticket first = add(confirmations, sick, 1);
  for (std::int64_t next = 2; next <= 90; ++next) add(confirmations, sick, Sequence(next));
  confirmations.spread(2);
  EXPECT_FALSE(confirmations.has_room_for(sick));
  EXPECT_EQ(fill(confirmations, coupon_of(0, 2)), 5u);
  confirmations.delivered(first);
  EXPECT_EQ(confirmations.in_flight(), 94u);
  confirmations.clear();
  EXPECT_EQ(fill(confirmations, sick), 50u);
}

TEST(Confirmations, CouponsDoNotWaitForEachOther) {
  Confirmations confirmations(8);
  add(confirmations, "slow", 1);
  const Ticket fast = add(confirmations, "fast", 1);
  confirmations.delivered(fast);
  EXPECT_EQ(confirmations.take(), (std::vector<Watermark>{{"fast", 1, 1}}));
}

TEST(Confirmations, RoomIsBoundedAndComesBack) {
  Confirmations confirmations(2);
  const Ticket first = add(confirmations, "x", 1);
  add(confirmations, "x", 2);
  EXPECT_TRUE(confirmations.full());
  confirmations.delivered(first);
  EXPECT_FALSE(confirmations.full());
  add(confirmations, "y", 1);
  EXPECT_TRUE(confirmations.full());
}

TEST(Confirmations, ClearForgetsEverything) {
  Confirmations confirmations(2);
  confirmations.delivered(add(confirmations, "x", 1));
  add(confirmations, "x", 2);
  confirmations.clear();
  EXPECT_EQ(confirmations.in_flight(), 0u);
  EXPECT_TRUE(confirmations.take().empty());
  confirmations.delivered(add(confirmations, "x", 2));
  EXPECT_EQ(confirmations.take(), (std::vector<Watermark>{{"x", 2, 1}}));
}

TEST(Confirmations, AReportWithoutAnEventAborts) {
  Confirmations confirmations(2);
  EXPECT_DEATH(confirmations.delivered(0), "");
  EXPECT_DEATH(confirmations.delivered(7), "");
}

TEST(Confirmations, RandomOrderConfirmsEveryCouponInOrderToItsEnd) {
  std::mt19937 random(17);
  Confirmations confirmations(64);
  std::vector<Ticket> flying;
  std::map<std::string, Sequence> queued;
  std::map<std::string, Sequence> confirmed;
  for (int step = 0; step < 50'000; ++step) {
    if (!confirmations.full() && random() % 2 == 0) {
      const std::string coupon_id = std::to_string(random() % 3'000);  // more than are remembered when idle
      flying.push_back(add(confirmations, coupon_id, ++queued[coupon_id]));
    } else if (!flying.empty()) {
      std::swap(flying[random() % flying.size()], flying.back());
      confirmations.delivered(flying.back());
      flying.pop_back();
    }
    for (const Watermark& watermark : confirmations.take()) {
      EXPECT_GT(watermark.sequence, confirmed[watermark.coupon_id]);
      confirmed[watermark.coupon_id] = watermark.sequence;
    }
  }
  for (const Ticket ticket : flying) confirmations.delivered(ticket);
  for (const Watermark& watermark : confirmations.take()) confirmed[watermark.coupon_id] = watermark.sequence;
  EXPECT_EQ(confirmed, queued);
}

}  // namespace
}  // namespace seonchak::kafka
