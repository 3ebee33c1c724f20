#include <string>
#include <vector>

#include "gate/testing/gate_contract.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::make_config;
using testing::PrivateRedis;
using Names = std::vector<std::string>;

/// A server that has reached its limit of memory, with all that was issued waiting in the outbox.
class FullRedis : public ::testing::Test {
 protected:
  FullRedis() {
    EXPECT_TRUE(twin_.control().install(coupon_));
    EXPECT_TRUE(twin_.outbox().lease(ids(), "relay", 60s).front());
    issue();
    set("maxmemory", std::to_string(used_memory() + 2'000'000));
    for (std::size_t i = 0; i < 10'000 && issue(); ++i) {
    }
    EXPECT_FALSE(issue()) << "it does not get full";
    // The buffers of connections count, too, and they shrink with time.
    set("maxmemory", std::to_string(used_memory() - 200'000));
  }

  /// As large a batch as there may be, of new users.
  bool issue() {
    Names users;
    for (std::size_t i = 0; i < claim_users_max; ++i)
      users.push_back("a-user-with-a-long-name-" + std::to_string(++users_));
    const auto reply = twin_.claim(batch_of(coupon_, users));
    if (reply) last_ = reply->state.sequence;
    return reply.has_value();
  }

  void set(const std::string& name, const std::string& value) {
    const auto reply = redis_.call(redis_command({"CONFIG", "SET", name, value}));
    ASSERT_TRUE(reply && !is_error(**reply));
  }

  std::int64_t used_memory() {
    const auto reply = redis_.call(redis_command({"INFO", "memory"}));
    const std::string text(text_of(*reply.value()).value());
    return std::stoll(text.substr(text.find("used_memory:") + 12));
  }

  Watermark watermark(Sequence sequence) const { return {coupon_.id, sequence, coupon_.epoch}; }
  Names ids() const { return {coupon_.id}; }

  PrivateRedis server_{{"--appendonly", "no"}};
  testing::RedisTwin twin_{server_.options()};
  RedisClient redis_{server_.options()};
  const GateConfig coupon_ = make_config(stock_max);
  std::int64_t users_ = 0;
  Sequence last_ = 0;
};

TEST_F(FullRedis, ItsCheckIsPassedSinceHoldersAreAnswered) {
  EXPECT_TRUE(twin_.control().check());
}

TEST_F(FullRedis, ItSaysThatItHasNoRoomUntilItHas) {
  EXPECT_EQ(twin_.control().room().error().code, Errc::outbox_full);
  set("maxmemory", "0");
  EXPECT_TRUE(twin_.control().room());
}

TEST_F(FullRedis, ARequestIsRefusedAsAFullOutboxRefusesIt) {
  EXPECT_EQ(twin_.claim(batch_of(coupon_, {"new"})).error().code, Errc::outbox_full);
  EXPECT_EQ(twin_.control().claim_now(batch_of(coupon_, {"new"})).error().code, Errc::outbox_full);
  const auto holder = twin_.claim(batch_of(coupon_, {"a-user-with-a-long-name-1"}));
  ASSERT_TRUE(holder) << holder.error().message;
  EXPECT_EQ(holder->claims.front().sequence, 1) << "a holder is told all the same";
}

TEST_F(FullRedis, WhatIsPersistedIsFreedAndItIssuesAgain) {
  const auto published = watermark(last_);
  ASSERT_TRUE(twin_.outbox().raise_published({&published, 1}).front());
  for (Sequence sequence = 1'000; sequence < last_ + 1'000; sequence += 1'000) {
    const auto persisted = watermark(std::min(sequence, last_));
    const auto marked = twin_.outbox().raise_persisted({&persisted, 1}).front();
    ASSERT_TRUE(marked) << marked.error().message;
  }
  const auto progress = twin_.outbox().progress(ids()).front();
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->published, last_);
  EXPECT_EQ(progress->persisted, last_);
  const auto reply = twin_.claim(batch_of(coupon_, {"new"}));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->claims.front().sequence, last_ + 1);
}

TEST_F(FullRedis, LeasesGoOnAndChangeHands) {
  EXPECT_TRUE(twin_.outbox().lease(ids(), "relay", 60s).front().value());
  EXPECT_FALSE(twin_.outbox().lease(ids(), "another", 60s).front().value());
  ASSERT_TRUE(twin_.outbox().release(ids(), "relay").front());
  const auto taken = twin_.outbox().lease(ids(), "another", 60s).front();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_TRUE(*taken);
}

TEST_F(FullRedis, ACouponIsShutAndOpenedAgain) {
  GateConfig coupon = coupon_;
  const auto observed = twin_.recovery().observe(coupon.id);
  const auto remains = twin_.recovery().begin(coupon, "t", observed.value());
  ASSERT_TRUE(remains) << remains.error().message;
  EXPECT_EQ(remains->sequence, last_);
  coupon.epoch = 2;
  std::vector<Holder> lost;
  for (int i = 0; i < 1'000; ++i)
    lost.push_back({"a-holder-that-was-lost-" + std::to_string(i), i + 1, Time{}});
  const auto put = twin_.recovery().put_holders(coupon.id, "t", lost, false);
  ASSERT_TRUE(put) << put.error().message;
  const std::vector<OutboxEntry> entries = {{coupon.id, 2, last_, Time{}, {"a-holder-that-was-lost-1"}}};
  const auto told = twin_.recovery().put_outbox(coupon.id, "t", entries, true);
  ASSERT_TRUE(told) << told.error().message;
  const auto opened = twin_.recovery().open(coupon, "t", {last_, 0, last_});
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(twin_.outbox().progress(ids()).front()->epoch, 2);
}

}  // namespace
}  // namespace seonchak
