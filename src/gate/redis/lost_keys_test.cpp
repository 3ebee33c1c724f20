#include <set>
#include <string>
#include <vector>

#include "gate/testing/gate_contract.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::make_config;
using testing::make_twin;
using testing::PrivateRedis;
using testing::shared_redis;
using Names = std::vector<std::string>;

/// A coupon of which one key is gone: three of four are issued, the first is persisted.
class LostKeys : public ::testing::Test {
 protected:
  LostKeys() {
    EXPECT_TRUE(twin_->control().install(coupon_));
    for (const auto* user : {"a", "b", "c"}) EXPECT_TRUE(claim(user));
    persist(1);
  }

  Result<ClaimReply> claim(const std::string& user) { return twin_->claim(batch_of(coupon_, {user})); }
  Errc claim_error(const std::string& user) {
    const auto reply = claim(user);
    EXPECT_FALSE(reply) << "decided without what was issued before";
    return reply ? Errc::rejected : reply.error().code;
  }

  void persist(Sequence sequence) {
    const Watermark watermark{coupon_.id, sequence, coupon_.epoch};
    EXPECT_TRUE(twin_->outbox().raise_persisted({&watermark, 1}).front());
  }

  void run(const std::vector<std::string>& words) {
    const auto reply = redis_.call(redis_command(words));
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_FALSE(is_error(**reply)) << refusal(**reply).message;
  }

  std::string key(const std::string& name) const { return "{coupon:" + coupon_.id + "}:" + name; }
  Result<Outbox::Progress> progress() { return twin_->outbox().progress({&coupon_.id, 1}).front(); }
  Result<Remains> shut() {
    return twin_->recovery().begin(coupon_, "t", twin_->recovery().observe(coupon_.id).value());
  }

  const std::unique_ptr<testing::GateTwin> twin_ = make_twin("redis");
  RedisClient redis_{shared_redis()};
  GateConfig coupon_ = make_config(4);
};

TEST_F(LostKeys, WithoutHoldersNothingIsDecided) {
  run({"DEL", key("holders")});
  EXPECT_EQ(claim_error("a"), Errc::gate_behind);
  EXPECT_EQ(claim_error("d"), Errc::gate_behind);
  const auto state = twin_->control().state(coupon_.id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->issued, 0);
  EXPECT_EQ(state->counted, 3);
  coupon_.stock = 1;
  ++coupon_.revision;
  EXPECT_EQ(twin_->control().configure(coupon_).error().code, Errc::gate_behind);
  const auto remains = shut();
  ASSERT_TRUE(remains);
  EXPECT_EQ(remains->holders, 0);
  EXPECT_EQ(remains->counted, 3);
  EXPECT_FALSE(remains->is_whole());
}

TEST_F(LostKeys, OneHolderThatIsMissingIsEnough) {
  run({"HDEL", key("holders"), "b"});
  EXPECT_EQ(claim_error("a"), Errc::gate_behind);
}

TEST_F(LostKeys, MoreHoldersThanCountedAreAnOlderProgramsAndAreCountedWithTheNextClaim) {
  run({"HSET", key("holders"), "x", "4:1700000000000"});
  run({"HSET", key("state"), "sequence", "4"});
  EXPECT_EQ(claim("d")->claims.front().decision, Decision::sold_out);
  coupon_.stock = 6;
  ++coupon_.revision;
  ASSERT_TRUE(twin_->control().configure(coupon_));
  EXPECT_EQ(claim("d")->claims.front().sequence, 5);
  run({"HDEL", key("holders"), "x"});
  EXPECT_EQ(claim_error("d"), Errc::gate_behind);
}

TEST_F(LostKeys, AStateWithoutACountIsAnOlderProgramsAndGetsOne) {
  run({"HDEL", key("state"), "holders"});
  EXPECT_EQ(twin_->control().state(coupon_.id)->issued, 3);
  EXPECT_EQ(claim("d")->claims.front().sequence, 4);
  run({"HDEL", key("holders"), "a"});
  EXPECT_EQ(claim_error("d"), Errc::gate_behind);
}

TEST_F(LostKeys, ARecoveryCountsWhatItHasPut) {
  run({"DEL", key("holders")});
  ASSERT_TRUE(shut());
  const std::vector<Holder> holders = {{"a", 1, coupon_.created_at}, {"b", 2, coupon_.created_at}};
  ASSERT_TRUE(twin_->recovery().put_holders(coupon_.id, "t", holders, true));
  ASSERT_TRUE(twin_->recovery().put_outbox(coupon_.id, "t", {}, true));
  coupon_.epoch = 2;
  ASSERT_TRUE(twin_->recovery().open(coupon_, "t", {3, 3, 3}));
  EXPECT_EQ(twin_->control().state(coupon_.id)->issued, 2);
  EXPECT_EQ(claim("d")->claims.front().sequence, 4) << "without a key there was nothing to wait for";
  run({"HDEL", key("holders"), "a"});
  EXPECT_EQ(claim_error("e"), Errc::gate_behind);
}

TEST_F(LostKeys, WithoutTheOutboxNothingIsIssued) {
  EXPECT_TRUE(progress());
  run({"DEL", key("outbox")});
  EXPECT_EQ(progress().error().code, Errc::gate_behind);
  EXPECT_EQ(claim_error("d"), Errc::gate_behind);
  EXPECT_EQ(claim("a")->claims.front().sequence, 1);
  const auto remains = shut();
  ASSERT_TRUE(remains);
  EXPECT_EQ(remains->holders, 3);
  EXPECT_FALSE(remains->is_whole());
}

TEST_F(LostKeys, AnOutboxInWhichNothingWaitsMayBeGone) {
  persist(3);
  run({"DEL", key("outbox")});
  ASSERT_TRUE(progress());
  EXPECT_EQ(progress()->persisted, 3);
  EXPECT_EQ(claim("d")->claims.front().sequence, 4);
  EXPECT_TRUE(progress());
  const auto remains = shut();
  ASSERT_TRUE(remains);
  EXPECT_TRUE(remains->is_whole());
}

TEST_F(LostKeys, ARebuiltOutboxIsMissedUpToItsEnd) {
  ASSERT_TRUE(shut());
  const std::vector<OutboxEntry> entries = {{coupon_.id, 2, 2, coupon_.created_at, {"b"}}};
  ASSERT_TRUE(twin_->recovery().put_outbox(coupon_.id, "t", entries, true));
  coupon_.epoch = 2;
  ASSERT_TRUE(twin_->recovery().open(coupon_, "t", {3, 1, 2}));
  run({"COPY", key("outbox"), key("kept")});
  run({"DEL", key("outbox")});
  EXPECT_EQ(progress().error().code, Errc::gate_behind);
  EXPECT_EQ(claim_error("d"), Errc::gate_behind);
  run({"RENAME", key("kept"), key("outbox")});
  persist(2);
  run({"DEL", key("outbox")});
  EXPECT_EQ(progress()->persisted, 3);
  EXPECT_EQ(claim("d")->claims.front().sequence, 4);
}

TEST_F(LostKeys, WhatIsLostDuringARecoveryIsMissed) {
  ASSERT_TRUE(shut());
  const std::vector<Holder> more = {{"d", 4, coupon_.created_at}};
  EXPECT_TRUE(twin_->recovery().put_holders(coupon_.id, "t", more, false));
  coupon_.epoch = 2;
  run({"RENAME", key("outbox"), key("kept")});
  EXPECT_EQ(twin_->recovery().open(coupon_, "t", {4, 1, 4}).error().code, Errc::gate_behind);
  run({"RENAME", key("kept"), key("outbox")});
  run({"HDEL", key("holders"), "a"});
  EXPECT_EQ(twin_->recovery().open(coupon_, "t", {4, 1, 4}).error().code, Errc::gate_behind);
  EXPECT_EQ(twin_->recovery().put_holders(coupon_.id, "t", more, false).error().code, Errc::gate_behind);
  EXPECT_TRUE(twin_->recovery().put_holders(coupon_.id, "t", {}, false)) << "asks for the token only";
  EXPECT_TRUE(twin_->recovery().put_holders(coupon_.id, "t", more, true));
  EXPECT_TRUE(twin_->recovery().open(coupon_, "t", {4, 1, 4}));
  EXPECT_EQ(twin_->control().state(coupon_.id)->issued, 1);
}

TEST_F(LostKeys, WithoutTheStateNothingIsDecided) {
  run({"DEL", key("state")});
  EXPECT_EQ(claim_error("a"), Errc::gate_missing);
  EXPECT_FALSE(twin_->control().install(coupon_));
}

TEST_F(LostKeys, WithoutAFieldOfTheStateNothingIsDecided) {
  run({"COPY", key("state"), key("kept")});
  for (const char* field :
       {"stock", "sequence", "opens_at", "closes_at", "closed", "revision", "published", "persisted"}) {
    run({"HDEL", key("state"), field});
    EXPECT_EQ(claim_error("d"), Errc::gate_behind) << field;
    EXPECT_EQ(twin_->control().state(coupon_.id).error().code, Errc::gate_behind) << field;
    run({"HSET", key("state"), field, "many"});
    EXPECT_EQ(claim_error("d"), Errc::gate_behind) << field;
    EXPECT_EQ(twin_->control().state(coupon_.id).error().code, Errc::gate_behind) << field;
    run({"COPY", key("kept"), key("state"), "REPLACE"});
  }
  for (const char* field : {"sequence", "published", "persisted"}) {
    run({"HDEL", key("state"), field});
    EXPECT_EQ(progress().error().code, Errc::gate_behind) << field;
    run({"COPY", key("kept"), key("state"), "REPLACE"});
  }
  EXPECT_EQ(claim("d")->claims.front().sequence, 4) << "nobody was decided meanwhile";
}

TEST_F(LostKeys, AFieldThatIsLostIsKnownToARecoveryAndWrittenByIt) {
  run({"HDEL", key("state"), "sequence", "stock"});
  const auto remains = shut();
  ASSERT_TRUE(remains);
  EXPECT_EQ(remains->epoch, 1);
  EXPECT_EQ(remains->sequence, 0);
  EXPECT_TRUE(remains->fields_lost);
  EXPECT_FALSE(remains->is_whole());
  coupon_.epoch = 2;
  ASSERT_TRUE(twin_->recovery().open(coupon_, "t", {3, 1, 3}));
  EXPECT_EQ(twin_->control().state(coupon_.id)->stock, 4);
  EXPECT_EQ(claim("d")->claims.front().sequence, 4);
}

TEST_F(LostKeys, AStockThatIsLostWithALaterRevisionIsNotReplacedByAnEarlierOne) {
  run({"HDEL", key("state"), "stock"});
  run({"HSET", key("state"), "revision", "9"});
  ASSERT_TRUE(shut());
  coupon_.epoch = 2;
  EXPECT_EQ(twin_->recovery().open(coupon_, "t", {3, 1, 3}).error().code, Errc::gate_behind);
  coupon_.revision = 10;
  EXPECT_TRUE(twin_->recovery().open(coupon_, "t", {3, 1, 3}));
}

// A claim whose second write was refused.
TEST_F(LostKeys, AnOutboxThatIsAheadOfItsStateIsNoticedByTheNextClaim) {
  run({"XADD", key("outbox"), "4-0", "e", "1", "t", "1700000000000", "u", "x"});
  EXPECT_EQ(claim("a")->claims.front().sequence, 1);
  EXPECT_TRUE(progress());
  EXPECT_EQ(claim_error("d"), Errc::gate_behind);
  EXPECT_EQ(progress().error().code, Errc::gate_behind);
  ASSERT_TRUE(shut());
  coupon_.epoch = 2;
  ASSERT_TRUE(twin_->recovery().put_outbox(coupon_.id, "t", {}, true));
  ASSERT_TRUE(twin_->recovery().open(coupon_, "t", {3, 3, 3}));
  EXPECT_TRUE(progress());
  EXPECT_EQ(claim("d")->claims.front().sequence, 4);
}

// A cursor is a place in one server's table: another server has its table in another order.
TEST(HoldersScan, APageOfAnotherServerIsNotTaken) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(5'000);
  ASSERT_TRUE(twin.control().install(coupon));
  for (int first = 0; first < 5'000; first += 500) {
    Names users;
    for (int i = first; i < first + 500; ++i) users.push_back("user" + std::to_string(i));
    ASSERT_TRUE(twin.claim(batch_of(coupon, users)));
  }
  std::set<std::string> found;
  auto page = twin.control().holders_page(coupon.id, "");
  ASSERT_TRUE(page);
  ASSERT_FALSE(page->next.empty());
  for (const Holder& holder : page->holders) found.insert(holder.user_id);
  redis.kill();
  redis.start();
  while (!page->next.empty()) {
    page = twin.control().holders_page(coupon.id, page->next);
    if (!page) break;
    for (const Holder& holder : page->holders) found.insert(holder.user_id);
  }
  if (page) {
    EXPECT_EQ(found.size(), 5'000U) << "whoever holds the coupon is on some page";
  } else {
    EXPECT_EQ(page.error().code, Errc::gate_untrusted) << page.error().message;
  }
}

}  // namespace
}  // namespace seonchak
