#include "gate/redis/connection.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include "gate/testing/gate_twin.hpp"

namespace seonchak {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using testing::batch_of;
using testing::eventually;
using testing::make_config;
using testing::PrivateRedis;
using testing::run_until;
using Answers = std::vector<std::optional<Result<ClaimReply>>>;

constexpr auto short_timeout = 300ms;

RedisOptions options_for_port(std::uint16_t port) {
  RedisOptions options;
  options.url = "redis://127.0.0.1:" + std::to_string(port);
  options.call_timeout = short_timeout;
  return options;
}

/// Starts `count` claims of one user each.
void start_claims(Gate& gate, const GateConfig& coupon, std::size_t count, Answers& answers) {
  answers.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    gate.claim(batch_of(coupon, {"u" + std::to_string(i)}), [&answers, i](Result<ClaimReply> reply) {
      ASSERT_FALSE(answers[i]) << "answered twice";
      answers[i] = std::move(reply);
    });
  }
}

bool all_answered(const Answers& answers) {
  return std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); });
}

void expect_all_unavailable(const Answers& answers) {
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer) << "never answered";
    ASSERT_FALSE(*answer);
    EXPECT_EQ(answer->error().code, Errc::unavailable);
  }
}

/// Listens like a Redis server, and behaves like none.
class OddPeer {
 public:
  enum class Manner { never_answers, answers_the_greeting_only, hangs_up_after_the_greeting, talks_nonsense };

  explicit OddPeer(Manner manner)
      : acceptor_(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::jthread([this, manner] { serve(manner); });
  }

  ~OddPeer() {
    stop_ = true;
    // Wakes a peer that waits for a visitor.
    boost::asio::io_context context;
    tcp::socket visitor(context);
    boost::system::error_code ignored;
    visitor.connect(acceptor_.local_endpoint(), ignored);
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void serve(Manner manner) {
    while (!stop_) {
      tcp::socket socket(context_);
      acceptor_.accept(socket);
      if (stop_) return;
      boost::system::error_code error;
      std::array<char, 4096> bytes{};
      if (manner != Manner::never_answers) {
        socket.read_some(boost::asio::buffer(bytes), error);
        const std::string info = "role:master\r\nrun_id:a\r\nmaster_replid:b\r\nsecond_repl_offset:-1\r\n";
        const std::string greeting = "$" + std::to_string(info.size()) + "\r\n" + info + "\r\n";
        const std::string answer =
            manner == Manner::talks_nonsense ? "HTTP/1.1 400 Bad Request\r\n\r\n" : greeting;
        boost::asio::write(socket, boost::asio::buffer(answer), error);
      }
      if (manner == Manner::hangs_up_after_the_greeting) {
        socket.read_some(boost::asio::buffer(bytes), error);
        continue;
      }
      while (!error) socket.read_some(boost::asio::buffer(bytes), error);
    }
  }

  boost::asio::io_context context_;
  tcp::acceptor acceptor_;
  std::atomic<bool> stop_{false};
  std::jthread thread_;
};

class OddPeers : public ::testing::TestWithParam<OddPeer::Manner> {};
INSTANTIATE_TEST_SUITE_P(RedisConnection, OddPeers,
                         ::testing::Values(OddPeer::Manner::never_answers,
                                           OddPeer::Manner::answers_the_greeting_only,
                                           OddPeer::Manner::hangs_up_after_the_greeting,
                                           OddPeer::Manner::talks_nonsense));

TEST_P(OddPeers, EveryClaimIsUnavailableInTime) {
  OddPeer peer(GetParam());
  boost::asio::io_context context;
  const auto gate = make_redis_gate(context, options_for_port(peer.port()));
  Answers answers;
  const auto start = std::chrono::steady_clock::now();
  start_claims(*gate, make_config(1), 20, answers);
  ASSERT_TRUE(run_until(context, [&] { return all_answered(answers); }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, testing::patience);
  expect_all_unavailable(answers);
}

TEST_P(OddPeers, ABlockingCallIsUnavailableInTime) {
  OddPeer peer(GetParam());
  const auto control = make_redis_gate_control(options_for_port(peer.port()));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(control->state("x").error().code, Errc::unavailable);
  const auto outbox = make_redis_outbox(options_for_port(peer.port()));
  const Watermark watermark{"x", 0};
  EXPECT_EQ(outbox->read({&watermark, 1}, 1, 10ms).error().code, Errc::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, testing::patience);
}

TEST(RedisConnection, WhileTheServerIsDownCallsFailAtOnce) {
  boost::asio::io_context context;
  const auto gate = make_redis_gate(context, options_for_port(testing::free_port()));
  Answers answers;
  start_claims(*gate, make_config(1), 3, answers);
  ASSERT_TRUE(run_until(context, [&] { return all_answered(answers); }));
  expect_all_unavailable(answers);

  Answers at_once;
  start_claims(*gate, make_config(1), 3, at_once);
  expect_all_unavailable(at_once);
}

TEST(RedisConnection, CommandsBeyondTheLimitFailAtOnce) {
  OddPeer peer(OddPeer::Manner::never_answers);
  RedisOptions options = options_for_port(peer.port());
  options.call_timeout = testing::patience;
  options.commands_in_flight_max = 3;  // the first claim comes with a hint
  boost::asio::io_context context;
  const auto gate = make_redis_gate(context, options);
  Answers answers;
  start_claims(*gate, make_config(1), 3, answers);
  EXPECT_FALSE(answers[0]);
  EXPECT_FALSE(answers[1]);
  ASSERT_TRUE(answers[2]);
  EXPECT_EQ(answers[2]->error().code, Errc::unavailable);
}

TEST(RedisConnection, AHandlerMayDestroyTheGate) {
  PrivateRedis redis;
  boost::asio::io_context context;
  auto gate = make_redis_gate(context, redis.options());
  int answers = 0;
  for (int i = 0; i < 3; ++i) {
    gate->claim(batch_of(make_config(1), {"a"}), [&](const Result<ClaimReply>&) {
      ++answers;
      gate.reset();
    });
  }
  ASSERT_TRUE(run_until(context, [&] { return answers > 0; }));
  context.restart();
  context.run_for(50ms);
  EXPECT_EQ(answers, 1);
}

TEST(RedisConnection, AWrongPasswordIsNamedAndNotShown) {
  PrivateRedis redis({"--requirepass", "correct horse"});
  const auto none = make_redis_gate_control(redis.options())->check();
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("NOAUTH"), std::string::npos) << none.error().message;

  const auto wrong = make_redis_gate_control(redis.options(":hunter2@"))->check();
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("WRONGPASS"), std::string::npos) << wrong.error().message;
  EXPECT_EQ(wrong.error().message.find("hunter2"), std::string::npos);

  EXPECT_TRUE(make_redis_gate_control(redis.options(":correct%20horse@"))->check());
  EXPECT_TRUE(make_redis_gate_control(redis.options("default:correct%20horse@"))->check());
}

TEST(RedisConnection, TheDatabaseOfTheUrlIsUsed) {
  PrivateRedis redis;
  const GateConfig coupon = make_config(1);
  RedisOptions options = redis.options();
  options.url.back() = '3';
  ASSERT_TRUE(make_redis_gate_control(options)->install(coupon));
  EXPECT_TRUE(make_redis_gate_control(options)->state(coupon.id));
  EXPECT_EQ(make_redis_gate_control(redis.options())->state(coupon.id).error().code, Errc::gate_missing);
}

TEST(RedisConnection, AKilledAndRestartedServerGoesOnWhereItWas) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(10);
  ASSERT_TRUE(twin.control().install(coupon));
  ASSERT_TRUE(twin.claim(batch_of(coupon, {"a"})));

  redis.kill();
  EXPECT_EQ(twin.claim(batch_of(coupon, {"b"})).error().code, Errc::unavailable);
  EXPECT_EQ(twin.control().check().error().code, Errc::unavailable);

  redis.start();
  ASSERT_TRUE(eventually([&] { return twin.claim(batch_of(coupon, {"b"})).has_value(); }));
  ASSERT_TRUE(eventually([&] { return twin.control().check().has_value(); }));
  const auto reply = twin.claim(batch_of(coupon, {"a", "b"}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->claims[0].sequence, 1);
  EXPECT_EQ(reply->claims[1].sequence, 2);
  EXPECT_EQ(reply->claims[1].decision, Decision::already_issued);
}

TEST(RedisConnection, AServerThatTakesNoWritesDoesNotPassItsCheck) {
  PrivateRedis redis;
  RedisClient client(redis.options());
  const auto control = make_redis_gate_control(redis.options());
  const auto set_replicas = [&](const char* least) {
    ASSERT_TRUE(client.call(redis_command({"CONFIG", "SET", "min-replicas-to-write", least})));
  };
  ASSERT_TRUE(control->check());
  set_replicas("1");
  const auto refused = control->check();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_NE(refused.error().message.find("NOREPLICAS"), std::string::npos) << refused.error().message;
  set_replicas("0");
  EXPECT_TRUE(control->check());
}

TEST(RedisConnection, HintsThatCannotBeUsedAreNoReasonToFailTheCheck) {
  PrivateRedis redis;
  RedisClient client(redis.options());
  ASSERT_TRUE(client.call(redis_command({"SET", "seonchak:active", "foreign"})));
  EXPECT_TRUE(make_redis_gate_control(redis.options())->check());
}

TEST(RedisConnection, ACallDoesNotNoticeThatItsIdleConnectionWasCut) {
  PrivateRedis redis;
  const auto control = make_redis_gate_control(redis.options());
  ASSERT_TRUE(control->check());
  redis.kill();
  redis.start();
  EXPECT_TRUE(control->check());
}

TEST(RedisConnection, ClaimsInFlightWhenTheServerDiesAreAllAnswered) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(1'000);
  ASSERT_TRUE(twin.control().install(coupon));

  boost::asio::io_context context;
  const auto gate = make_redis_gate(context, redis.options());
  Answers first;
  start_claims(*gate, coupon, 1, first);
  ASSERT_TRUE(run_until(context, [&] { return all_answered(first); }));

  redis.pause();
  Answers answers;
  start_claims(*gate, coupon, 500, answers);
  context.restart();
  context.run_for(50ms);
  redis.kill();
  ASSERT_TRUE(run_until(context, [&] { return all_answered(answers); }));
  expect_all_unavailable(answers);
}

TEST(RedisConnection, ScriptsTheServerHasForgottenAreSentAgain) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(1'000);
  ASSERT_TRUE(twin.control().install(coupon));
  ASSERT_TRUE(twin.claim(batch_of(coupon, {"first"})));
  RedisClient client(redis.options());
  ASSERT_TRUE(client.call(redis_command({"SCRIPT", "FLUSH"})));

  std::vector<ClaimBatch> batches;
  for (int i = 0; i < 100; ++i) batches.push_back(batch_of(coupon, {"u" + std::to_string(i)}));
  const auto replies = twin.claim_all(std::move(batches));
  for (std::size_t i = 0; i < replies.size(); ++i) {
    ASSERT_TRUE(replies[i]) << replies[i].error().message;
    EXPECT_EQ(replies[i]->claims[0].sequence, static_cast<int>(i) + 2);
  }
}

TEST(RedisConnection, AServerWithoutMemoryIsFullAndLeavesNothingBehind) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(10);
  ASSERT_TRUE(twin.control().install(coupon));
  RedisClient client(redis.options());
  ASSERT_TRUE(client.call(redis_command({"CONFIG", "SET", "maxmemory", "1"})));
  const auto reply = twin.claim(batch_of(coupon, {"a", "b"}));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Errc::outbox_full);
  EXPECT_NE(reply.error().message.find("OOM"), std::string::npos) << reply.error().message;

  ASSERT_TRUE(client.call(redis_command({"CONFIG", "SET", "maxmemory", "0"})));
  const auto state = twin.control().state(coupon.id);
  EXPECT_EQ(state->sequence, 0);
  EXPECT_EQ(state->issued, 0);
  EXPECT_EQ(twin.claim(batch_of(coupon, {"c"}))->claims[0].sequence, 1);
}

TEST(RedisConnection, AStateLostWhileItsHoldersRemainIsNotInstalledAgain) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(10);
  ASSERT_TRUE(twin.control().install(coupon));
  ASSERT_TRUE(twin.claim(batch_of(coupon, {"a"})));
  RedisClient client(redis.options());
  ASSERT_TRUE(client.call(redis_command({"DEL", "{coupon:" + coupon.id + "}:state"})));
  EXPECT_EQ(twin.control().install(coupon).error().code, Errc::gate_epoch);
  EXPECT_EQ(twin.claim(batch_of(coupon, {"b"})).error().code, Errc::gate_missing);
}

TEST(RedisConnection, ADemotedServerIsUnavailableUntilItIsAMasterAgain) {
  PrivateRedis redis;
  testing::RedisTwin twin(redis.options());
  const GateConfig coupon = make_config(10);
  ASSERT_TRUE(twin.control().install(coupon));
  RedisClient client(redis.options());
  ASSERT_TRUE(client.call(redis_command({"REPLICAOF", "127.0.0.1", std::to_string(testing::free_port())})));
  EXPECT_EQ(twin.claim(batch_of(coupon, {"a"})).error().code, Errc::unavailable);
  ASSERT_TRUE(client.call(redis_command({"REPLICAOF", "NO", "ONE"})));
  EXPECT_TRUE(eventually([&] { return twin.claim(batch_of(coupon, {"a"})).has_value(); }));
}

}  // namespace
}  // namespace seonchak
