#include <string>
#include <vector>

#include "gate/testing/gate_contract.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::make_config;
using testing::make_twin;
using testing::shared_redis;
using testing::unique_id;
using Names = std::vector<std::string>;

/// A coupon that somebody else has written over, between two that are sound.
class ForeignKeys : public ::testing::Test {
 protected:
  ForeignKeys() {
    for (const GateConfig& coupon : coupons_) {
      EXPECT_TRUE(twin_->control().install(coupon));
      EXPECT_TRUE(twin_->claim(batch_of(coupon, {"a"})));
      ids_.push_back(coupon.id);
      from_start_.push_back({coupon.id, 0, coupon.epoch});
      watermarks_.push_back({coupon.id, 1, coupon.epoch});
    }
  }

  void run(const std::vector<std::string>& words) {
    const auto reply = redis_.call(redis_command(words));
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_FALSE(is_error(**reply)) << refusal(**reply).message;
  }

  /// The key is there, with another type.
  void overwrite(const std::string& key) { run({"SET", "{coupon:" + spoilt().id + "}:" + key, "foreign"}); }

  template <class T>
  void only_the_spoilt_fails(const PerCoupon<T>& answers, Errc code = Errc::gate_unusable) {
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_TRUE(answers[0]);
    ASSERT_FALSE(answers[1]);
    EXPECT_EQ(answers[1].error().code, code) << answers[1].error().message;
    EXPECT_TRUE(answers[2]);
  }

  void only_the_spoilt_cannot_be_read() {
    const auto read = twin_->outbox().read(from_start_, 10, 10'000ms);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->failed.size(), 1U);
    EXPECT_EQ(read->failed[0].coupon_id, spoilt().id);
    EXPECT_EQ(read->failed[0].error.code, Errc::gate_unusable) << read->failed[0].error.message;
    ASSERT_EQ(read->entries.size(), 2U);
    EXPECT_EQ(read->entries[0].coupon_id, coupons_[0].id);
    EXPECT_EQ(read->entries[1].coupon_id, coupons_[2].id);
  }

  Errc claim_error() {
    const auto reply = twin_->claim(batch_of(spoilt(), {"b"}));
    EXPECT_FALSE(reply);
    return reply ? Errc::rejected : reply.error().code;
  }

  const GateConfig& spoilt() const { return coupons_[1]; }

  const std::unique_ptr<testing::GateTwin> twin_ = make_twin("redis");
  RedisClient redis_{shared_redis()};
  const std::vector<GateConfig> coupons_ = {make_config(10), make_config(10), make_config(10)};
  Names ids_;
  std::vector<Watermark> from_start_;
  std::vector<Watermark> watermarks_;
};

TEST_F(ForeignKeys, AForeignStateStopsNoOtherCoupon) {
  overwrite("state");
  only_the_spoilt_fails(twin_->control().states(ids_));
  only_the_spoilt_fails(twin_->outbox().progress(ids_));
  only_the_spoilt_fails(twin_->outbox().raise_published(watermarks_));
  only_the_spoilt_fails(twin_->outbox().raise_persisted(watermarks_));
  EXPECT_EQ(claim_error(), Errc::gate_unusable);
  EXPECT_EQ(twin_->recovery().observe(spoilt().id).error().code, Errc::gate_unusable);
}

TEST_F(ForeignKeys, AMalformedStateStopsNoOtherCoupon) {
  run({"HSET", "{coupon:" + spoilt().id + "}:state", "sequence", "many", "persisted", "", "stock", "x"});
  only_the_spoilt_fails(twin_->control().states(ids_), Errc::gate_behind);
  only_the_spoilt_fails(twin_->outbox().progress(ids_), Errc::gate_behind);
  EXPECT_EQ(claim_error(), Errc::gate_behind);
}

TEST_F(ForeignKeys, ForeignHoldersStopNoOtherCoupon) {
  overwrite("holders");
  only_the_spoilt_fails(twin_->control().states(ids_));
  only_the_spoilt_fails(twin_->control().holdings("a", ids_));
  EXPECT_EQ(claim_error(), Errc::gate_unusable);
  EXPECT_EQ(twin_->control().holders_page(spoilt().id, "").error().code, Errc::gate_unusable);
  const std::string before = twin_->recovery().observe(spoilt().id).value();
  EXPECT_EQ(twin_->recovery().begin(spoilt(), "t", before).error().code, Errc::gate_unusable);
  EXPECT_EQ(twin_->recovery().observe(spoilt().id).value(), before) << "nothing was shut";
}

TEST_F(ForeignKeys, AForeignOutboxStopsNoOtherCoupon) {
  overwrite("outbox");
  only_the_spoilt_cannot_be_read();
  EXPECT_EQ(claim_error(), Errc::gate_unusable);
  const auto holders = twin_->control().holders_of(spoilt(), Names{"b"});
  ASSERT_TRUE(holders);
  EXPECT_FALSE(holders->front()) << "nothing was decided";
}

TEST_F(ForeignKeys, AMalformedEntryFailsItsCouponOnceItIsTheNext) {
  run({"XADD", "{coupon:" + spoilt().id + "}:outbox", "9-0", "what", "ever"});
  const auto all = twin_->outbox().read(from_start_, 10, 0ms);
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->failed.empty());
  EXPECT_EQ(all->entries.size(), 3U);
  from_start_[1].sequence = 1;
  only_the_spoilt_cannot_be_read();
}

TEST_F(ForeignKeys, AnEntryOfSomebodyWhoIsNoUserFailsItsCoupon) {
  run({"DEL", "{coupon:" + spoilt().id + "}:outbox"});
  run({"XADD", "{coupon:" + spoilt().id + "}:outbox", "1-0", "e", "1", "t", "1795316400123", "u", "a \"b"});
  only_the_spoilt_cannot_be_read();
}

TEST_F(ForeignKeys, AHolderWhoIsNoUserMakesThePageUnusable) {
  run({"HSET", "{coupon:" + spoilt().id + "}:holders", "a \"b", "2:1795316400123"});
  EXPECT_EQ(twin_->control().holders_page(spoilt().id, "").error().code, Errc::gate_unusable);
  EXPECT_TRUE(twin_->control().holders_page(coupons_[0].id, ""));
}

TEST_F(ForeignKeys, NumbersBeyondAnyCountAreNoStateOfOurs) {
  const std::string beyond = "9223372036854775807";
  run({"HSET", "{coupon:" + spoilt().id + "}:state", "persisted", beyond});
  only_the_spoilt_fails(twin_->control().states(ids_), Errc::gate_behind);
  only_the_spoilt_fails(twin_->outbox().progress(ids_), Errc::gate_behind);
  run({"HSET", "{coupon:" + spoilt().id + "}:state", "epoch", beyond});
  const auto remains = twin_->recovery().begin(spoilt(), "t", beyond);
  ASSERT_TRUE(remains) << remains.error().message;
  EXPECT_EQ(remains->epoch, 0) << "an epoch after it must be possible";
  EXPECT_EQ(remains->persisted, 0);
  EXPECT_TRUE(remains->fields_lost);
}

TEST_F(ForeignKeys, AForeignLeaseIsNobodys) {
  run({"DEL", "{coupon:" + spoilt().id + "}:relay"});
  run({"RPUSH", "{coupon:" + spoilt().id + "}:relay", "foreign"});
  only_the_spoilt_fails(twin_->outbox().lease(ids_, "one", 60s));
  only_the_spoilt_fails(twin_->outbox().release(ids_, "one"));
}

TEST_F(ForeignKeys, ALeaseWithoutAnEndEndsAfterOneOfOrdinaryLength) {
  const auto leased = [&] { return twin_->outbox().lease({&ids_[1], 1}, "one", 200ms).front().value(); };
  run({"SET", "{coupon:" + spoilt().id + "}:relay", "gone"});
  EXPECT_FALSE(leased());
  EXPECT_TRUE(testing::eventually(leased));
}

}  // namespace
}  // namespace seonchak
