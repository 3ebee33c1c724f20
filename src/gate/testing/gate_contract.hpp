#pragma once
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "gate/testing/gate_twin.hpp"

namespace seonchak::testing {

/// One test, run against the memory gate and against Redis.
class GateContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  GateConfig installed(GateConfig coupon) {
    EXPECT_TRUE(control().install(coupon));
    return coupon;
  }

  /// One user, one decision.
  Claim claim_one(const GateConfig& coupon, const std::string& user) {
    const auto reply = twin_->claim(batch_of(coupon, {user}));
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? reply->claims.at(0) : Claim{Decision::not_found, 0, {}};
  }

  Decision decision_of(const GateConfig& coupon, const std::string& user) {
    return claim_one(coupon, user).decision;
  }

  Errc claim_error(ClaimBatch batch) {
    const auto reply = twin_->claim(std::move(batch));
    EXPECT_FALSE(reply);
    return reply ? Errc::rejected : reply.error().code;
  }

  void configure(GateConfig& coupon) {
    ++coupon.revision;
    const auto done = control().configure(coupon);
    ASSERT_TRUE(done) << done.error().message;
  }

  std::vector<OutboxEntry> read(const GateConfig& coupon, Sequence after, std::size_t entries_max = 100) {
    const Watermark watermark{coupon.id, after};
    auto read = outbox().read({&watermark, 1}, entries_max, std::chrono::milliseconds(0));
    EXPECT_TRUE(read) << read.error().message;
    if (!read) return {};
    EXPECT_TRUE(read->failed.empty()) << read->failed.front().error.message;
    return std::move(read->entries);
  }

  void persisted(const GateConfig& coupon, Sequence sequence) {
    const Watermark watermark{coupon.id, sequence, coupon.epoch};
    ASSERT_TRUE(outbox().raise_persisted({&watermark, 1}).front());
  }

  /// Shuts it as it is observed now.
  Result<Remains> begin(const GateConfig& coupon, const std::string& token) {
    const auto observed = recovery().observe(coupon.id);
    if (!observed) return observed.error();
    return recovery().begin(coupon, token, *observed);
  }

  void limit_outbox(std::int64_t sequences_max) { twin_ = make_twin(GetParam(), sequences_max); }

  GateControl& control() { return twin_->control(); }
  Outbox& outbox() { return twin_->outbox(); }
  GateRecovery& recovery() { return twin_->recovery(); }

  std::unique_ptr<GateTwin> twin_ = make_twin(GetParam());
};

}  // namespace seonchak::testing
