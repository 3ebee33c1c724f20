#include "gate/redis/active.hpp"
#include "gate/redis/connection.hpp"
#include "gate/redis/redis.hpp"
#include "gate/redis/scripts.hpp"

namespace seonchak {

namespace {

class RedisGate final : public Gate {
 public:
  RedisGate(boost::asio::io_context& context, const RedisOptions& options)
      : outbox_sequences_max_(options.outbox_sequences_max),
        connection_(context, options, RedisConnection::WhenDown::fail) {}

  void claim(ClaimBatch batch, ClaimHandler handler) override {
    const std::size_t users = batch.users.size();
    if (users == 0 || users > claim_users_max) {
      return handler(
          Error{Errc::invalid, "a batch carries 1 to " + std::to_string(claim_users_max) + " users"});
    }
    leave_hint(batch);
    ScriptCall script = claim_call(batch, outbox_sequences_max_);
    const std::string identity = std::move(batch.gate);
    const auto answer = [coupon_id = std::move(batch.coupon_id), users,
                         handler = std::move(handler)](Result<Reply> reply) {
      if (!reply) return handler(reply.error());
      handler(read_claims(coupon_id, users, **reply));
    };
    connection_.call(std::move(script), answer, identity);
  }

 private:
  /// On the connection of the claim, so that no relay sees the claim without it.
  void leave_hint(const ClaimBatch& batch) {
    if (!hints_.is_due(batch.coupon_id)) return;
    const auto answer = [this, coupon_id = batch.coupon_id](const Result<Reply>& reply) {
      if (!reply || is_error(**reply)) hints_.not_left(coupon_id);
    };
    connection_.call(hint_command(batch.coupon_id), answer, {}, batch.gate);
  }

  const std::int64_t outbox_sequences_max_;
  HintsLeft hints_;
  RedisConnection connection_;
};

}  // namespace

std::unique_ptr<Gate> make_redis_gate(boost::asio::io_context& context, const RedisOptions& options) {
  return std::make_unique<RedisGate>(context, options);
}

}  // namespace seonchak
