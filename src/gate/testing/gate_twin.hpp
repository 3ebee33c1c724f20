#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/ports/gate.hpp"
#include "gate/memory/memory.hpp"
#include "gate/redis/client.hpp"
#include "gate/redis/redis.hpp"
#include "gate/redis/scripts.hpp"
#include "gate/testing/redis.hpp"

namespace seonchak::testing {

/// The ports of one gate, whichever it is.
class GateTwin {
 public:
  virtual ~GateTwin() = default;
  virtual Gate& gate() = 0;
  virtual GateControl& control() = 0;
  virtual Outbox& outbox() = 0;
  virtual GateRecovery& recovery() = 0;

  /// Starts every batch before the first is answered, as far as this gate can, and returns the answers in
  /// order.
  virtual std::vector<Result<ClaimReply>> claim_all(std::vector<ClaimBatch> batches) = 0;

  /// Deletes one entry of an outbox, as somebody with a client may.
  virtual void delete_entry(const std::string& coupon_id, Sequence last_sequence) = 0;

  Result<ClaimReply> claim(ClaimBatch batch) {
    std::vector<ClaimBatch> batches;
    batches.push_back(std::move(batch));
    return claim_all(std::move(batches)).front();
  }

 protected:
  /// Answers arrive in `answers`, each exactly once.
  void start(std::vector<ClaimBatch> batches, std::vector<std::optional<Result<ClaimReply>>>& answers) {
    answers.resize(batches.size());
    for (std::size_t i = 0; i < batches.size(); ++i) {
      gate().claim(std::move(batches[i]), [&answers, i](Result<ClaimReply> reply) {
        ASSERT_FALSE(answers[i]) << "answered twice";
        answers[i] = std::move(reply);
      });
    }
  }

  static std::vector<Result<ClaimReply>> unwrap(std::vector<std::optional<Result<ClaimReply>>> answers) {
    std::vector<Result<ClaimReply>> all;
    for (auto& answer : answers) {
      all.push_back(answer ? std::move(*answer) : Error{Errc::unavailable, "never answered"});
    }
    return all;
  }
};

class MemoryTwin final : public GateTwin {
 public:
  explicit MemoryTwin(std::int64_t outbox_sequences_max) : memory_({outbox_sequences_max}) {}
  Gate& gate() override { return memory_; }
  GateControl& control() override { return memory_; }
  Outbox& outbox() override { return memory_; }
  GateRecovery& recovery() override { return memory_; }
  void delete_entry(const std::string& coupon_id, Sequence last_sequence) override {
    memory_.forget_outbox_entry(coupon_id, last_sequence);
  }

  std::vector<Result<ClaimReply>> claim_all(std::vector<ClaimBatch> batches) override {
    std::vector<std::optional<Result<ClaimReply>>> answers;
    start(std::move(batches), answers);
    return unwrap(std::move(answers));
  }

 private:
  MemoryGate memory_;
};

class RedisTwin final : public GateTwin {
 public:
  explicit RedisTwin(const RedisOptions& options)
      : gate_(make_redis_gate(context_, options)),
        control_(make_redis_gate_control(options)),
        outbox_(make_redis_outbox(options)),
        recovery_(make_redis_gate_recovery(options)),
        client_(options) {}
  Gate& gate() override { return *gate_; }
  GateControl& control() override { return *control_; }
  Outbox& outbox() override { return *outbox_; }
  GateRecovery& recovery() override { return *recovery_; }
  void delete_entry(const std::string& coupon_id, Sequence last_sequence) override {
    const auto deleted =
        client_.call(redis_command({"XDEL", CouponKeys(coupon_id).outbox, to_string(last_sequence) + "-0"}));
    ASSERT_TRUE(deleted && integer_of(**deleted) == 1);
  }

  std::vector<Result<ClaimReply>> claim_all(std::vector<ClaimBatch> batches) override {
    // A real loop never stands still between two claims.
    context_.restart();
    context_.poll();
    std::vector<std::optional<Result<ClaimReply>>> answers;
    start(std::move(batches), answers);
    run_until(context_,
              [&] { return std::ranges::all_of(answers, [](const auto& a) { return a.has_value(); }); });
    return unwrap(std::move(answers));
  }

 private:
  boost::asio::io_context context_{1};
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<GateControl> control_;
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<GateRecovery> recovery_;
  RedisClient client_;
};

inline std::unique_ptr<GateTwin> make_twin(const std::string& kind,
                                           std::int64_t outbox_sequences_max = 1'000'000) {
  if (kind == "memory") return std::make_unique<MemoryTwin>(outbox_sequences_max);
  RedisOptions options = shared_redis();
  options.outbox_sequences_max = outbox_sequences_max;
  return std::make_unique<RedisTwin>(options);
}

inline GateConfig make_config(std::int64_t stock, const std::string& id = unique_id("gate")) {
  GateConfig coupon;
  coupon.id = id;
  coupon.stock = stock;
  coupon.epoch = 1;
  coupon.revision = 1;
  coupon.created_at = from_millis(1'700'000'000'000);
  return coupon;
}

inline ClaimBatch batch_of(const GateConfig& coupon, std::vector<std::string> users) {
  return {coupon.id, coupon.epoch, 0, std::move(users), coupon.gate};
}

}  // namespace seonchak::testing
