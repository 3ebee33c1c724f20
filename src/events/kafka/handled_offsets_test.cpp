#include "events/kafka/handled_offsets.hpp"

#include <gtest/gtest.h>

namespace seonchak {
namespace {

TEST(HandledOffsets, InTurnTheyOnlyMoveThePosition) {
  HandledOffsets handled(5);
  handled.add(5);
  handled.add(6);
  EXPECT_EQ(handled.next(), 7);
  EXPECT_EQ(handled.text(), "");
}

TEST(HandledOffsets, OutOfTurnTheyAreRangesUntilTheGapIsClosed) {
  HandledOffsets handled(5);
  for (const int offset : {7, 9, 8, 12}) handled.add(offset);
  EXPECT_EQ(handled.next(), 5);
  EXPECT_EQ(handled.text(), "2-4,7");
  EXPECT_TRUE(handled.contains(8));
  EXPECT_FALSE(handled.contains(6));
  EXPECT_FALSE(handled.contains(10));
  handled.add(5);
  handled.add(6);
  EXPECT_EQ(handled.next(), 10);
  EXPECT_EQ(handled.text(), "2");
}

TEST(HandledOffsets, AreReadBackAsTheyWereWritten) {
  for (const char* text : {"", "1", "2-4,7", "1-3,5,9-12"}) {
    const auto handled = HandledOffsets::parse(100, text);
    ASSERT_TRUE(handled) << text;
    EXPECT_EQ(handled->text(), text);
    EXPECT_EQ(handled->next(), 100);
  }
}

TEST(HandledOffsets, OtherTextIsNotTakenForThem) {
  for (const char* text : {"x", "0", "-1", "3-2", "1,", ",1", "5,4", "2-4,3", "1 ", "99999999999999999999",
                           "9223372036854775807", "1-9223372036854775707"}) {
    EXPECT_FALSE(HandledOffsets::parse(100, text)) << text;
  }
}

TEST(HandledOffsets, WhatTheTopicHasDroppedIsSkipped) {
  HandledOffsets handled(5);
  handled.add(9);
  handled.add(20);
  handled.skip_to(9);
  EXPECT_EQ(handled.next(), 10);
  EXPECT_EQ(handled.text(), "10");
}

}  // namespace
}  // namespace seonchak
