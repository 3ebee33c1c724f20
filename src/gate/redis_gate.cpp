#include "gate/redis.hpp"
#include "gate/redis_connection.hpp"
#include "gate/redis_scripts.hpp"

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
  const std::int64_t outbox_sequences_max_;
  RedisConnection connection_;
};

}  // namespace

std::unique_ptr<Gate> make_redis_gate(boost::asio::io_context& context, const RedisOptions& options) {
  return std::make_unique<RedisGate>(context, options);
}

}  // namespace seonchak
