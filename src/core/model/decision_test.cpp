#include "core/model/decision.hpp"

#include <gtest/gtest.h>

namespace seonchak {
namespace {

GateState open_state() {
  GateState state;
  state.stock = 2;
  state.now = from_millis(1'000);
  return state;
}

TEST(Decision, UnknownCouponIsNotFoundEvenForAHolder) {
  EXPECT_EQ(decide(std::nullopt, true), Decision::not_found);
}

TEST(Decision, AHolderGetsItsCouponWhateverTheCouponIsNow) {
  GateState state = open_state();
  state.issued = 2;
  state.closed = true;
  state.opens_at = from_millis(5'000);
  EXPECT_EQ(decide(state, true), Decision::already_issued);
}

TEST(Decision, ClosedComesBeforeNotOpenAndSoldOut) {
  GateState state = open_state();
  state.issued = 2;
  state.opens_at = from_millis(5'000);
  state.closed = true;
  EXPECT_EQ(decide(state, false), Decision::closed);
}

TEST(Decision, NotOpenComesBeforeSoldOut) {
  GateState state = open_state();
  state.issued = 2;
  state.opens_at = from_millis(5'000);
  EXPECT_EQ(decide(state, false), Decision::not_open);
}

TEST(Decision, TheWindowIncludesItsStartAndExcludesItsEnd) {
  GateState state = open_state();
  state.opens_at = from_millis(1'000);
  state.closes_at = from_millis(1'001);
  EXPECT_EQ(decide(state, false), Decision::issued);
  state.now = from_millis(999);
  EXPECT_EQ(decide(state, false), Decision::not_open);
  state.now = from_millis(1'001);
  EXPECT_EQ(decide(state, false), Decision::closed);
}

TEST(Decision, TheLastOneIsIssuedAndTheNextIsSoldOut) {
  GateState state = open_state();
  state.issued = 1;
  EXPECT_EQ(decide(state, false), Decision::issued);
  state.issued = 2;
  EXPECT_EQ(decide(state, false), Decision::sold_out);
}

}  // namespace
}  // namespace seonchak
