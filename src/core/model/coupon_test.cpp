#include "core/model/coupon.hpp"

#include <gtest/gtest.h>

namespace seonchak {
namespace {

TEST(CouponId, TakesPlainIds) {
  for (const char* id : {"1", "summer-sale_2026.v2", "A"}) EXPECT_TRUE(valid_coupon_id(id)) << id;
  EXPECT_TRUE(valid_coupon_id(std::string(64, 'a')));
}

TEST(CouponId, RefusesWhatCouldLeaveARedisHashTag) {
  for (const char* id : {"", "a}b", "{a", "a:b", "a b", "a/b", "a@b", "\xEC\x84\xA0"})
    EXPECT_FALSE(valid_coupon_id(id)) << id;
  EXPECT_FALSE(valid_coupon_id(std::string(65, 'a')));
}

TEST(UserId, TakesMailAddressesAndNamespaces) {
  for (const char* id : {"42", "user:42", "kim@example.com", "a.b-c_d"}) EXPECT_TRUE(valid_user_id(id)) << id;
  EXPECT_TRUE(valid_user_id(std::string(64, 'u')));
}

TEST(UserId, RefusesSeparatorsControlBytesAndNonAscii) {
  for (const char* id : {"", "a,b", "a b", "a\tb", "a\x7f", "a\nb", "\xEA\xB9\x80", "a/b", "a\"b"}) {
    EXPECT_FALSE(valid_user_id(id)) << id;
  }
  EXPECT_FALSE(valid_user_id(std::string(65, 'u')));
  EXPECT_FALSE(valid_user_id(std::string_view("a\0b", 3)));
}

TEST(CouponPhase, FollowsFromTheEpochAndTheSettledOne) {
  Coupon coupon;
  EXPECT_EQ(coupon.phase(), Phase::unopened);
  coupon.epoch = 1;
  EXPECT_EQ(coupon.phase(), Phase::unopened) << "drawn for the first opening";
  coupon.settled = 1;
  EXPECT_EQ(coupon.phase(), Phase::open);
  coupon.epoch = 2;
  EXPECT_EQ(coupon.phase(), Phase::recovering);
  coupon.settled = 2;
  EXPECT_EQ(coupon.phase(), Phase::open);
}

TEST(Ack, NamesRoundTrip) {
  for (const Ack ack : {Ack::gate, Ack::log, Ack::store}) EXPECT_EQ(parse_ack(to_string(ack)), ack);
  EXPECT_FALSE(parse_ack("disk"));
}

}  // namespace
}  // namespace seonchak
