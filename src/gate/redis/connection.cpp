#include "gate/redis/connection.hpp"

#include <deque>
#include <random>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <hiredis/hiredis.h>

#include "base/log.hpp"
#include "gate/redis/backoff.hpp"
#include "gate/redis/identity.hpp"
#include "gate/redis/sentinel.hpp"
#include "gate/redis/socket.hpp"

namespace seonchak {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

/// Between two questions to the Sentinels while the connection is up.
constexpr std::chrono::milliseconds master_look_period{500};

struct ReaderDeleter {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};
using Reader = std::unique_ptr<redisReader, ReaderDeleter>;

}  // namespace

class RedisConnection::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& context, const RedisOptions& options, WhenDown when_down)
      : context_(context),
        options_(options),
        when_down_(when_down),
        address_(parse_redis_url(options.url)),
        sentinels_(context, address_),
        timer_(context),
        backoff_(std::random_device{}()) {}

  void call(std::string command, ReplyHandler handler, std::chrono::milliseconds server_wait,
            const std::string& identity = {}) {
    if (in_flight_.size() + waiting_.size() >= options_.commands_in_flight_max) {
      return handler(unavailable("too many commands are in flight"));
    }
    const auto deadline = Clock::now() + options_.call_timeout + server_wait;
    if (phase_ == Phase::up) look_for_master();
    if (phase_ == Phase::up) return send_to(identity, command, {std::move(handler), deadline});

    const bool recovering = backoff_.failures() > 0;
    if (phase_ == Phase::down) {
      if (!backoff_.may_try(Clock::now())) return handler(unavailable(last_error_));
      connect();
    }
    // The attempt may have failed, or this connection be gone, by the time connect returns.
    if (phase_ == Phase::down || (recovering && when_down_ == WhenDown::fail)) {
      return handler(unavailable(last_error_));
    }
    waiting_.push_back({std::move(command), identity, {std::move(handler), deadline}});
  }

  RedisEndpoint server() const { return address_.server; }
  const std::string& identity() const { return identity_; }

  void close() {
    closed_ = true;
    ++streams_;
    phase_ = Phase::down;
    timer_.cancel();
    sentinels_.cancel();
    socket_.reset();
    in_flight_.clear();
    waiting_.clear();
  }

 private:
  enum class Phase { down, connecting, up };
  struct Pending {
    ReplyHandler handler;
    Clock::time_point deadline;
  };
  struct Waiting {
    std::string command;
    std::string identity;
    Pending pending;
  };

  Error unavailable(const std::string& reason) const {
    return {Errc::unavailable, "redis at " + address_.label() + ": " + reason};
  }

  void connect() {
    phase_ = Phase::connecting;
    attempt_deadline_ = Clock::now() + options_.call_timeout;
    arm_timer(attempt_deadline_);
    if (address_.sentinels.empty()) return open();
    sentinels_.locate([this](const std::string& error, const RedisEndpoint& master) {
      if (!error.empty()) return lost(error, true);
      address_.server = master;
      open();
    });
  }

  void open() {
    reader_.reset(redisReaderCreate());
    socket_ = std::make_unique<RedisSocket>(context_, address_);
    socket_->connect([this](const std::string& error) {
      if (!error.empty()) return lost(error, true);
      shake_hands();
      read_more();
    });
  }

  /// Signs in, selects the database and asks who the server is, in one go.
  void shake_hands() {
    if (!address_.password.empty()) {
      const bool named = !address_.user.empty();
      greet(named ? redis_command({"AUTH", address_.user, address_.password})
                  : redis_command({"AUTH", address_.password}));
    }
    if (address_.database != 0) greet(redis_command({"SELECT", std::to_string(address_.database)}));
    send(identity_command(), {[this](Result<Reply> reply) {
                                if (phase_ != Phase::connecting || !reply) return;
                                const auto identity = read_identity(**reply);
                                if (!identity) return lost(identity.error().message, true);
                                identity_ = identity->name();
                                came_up();
                              },
                              attempt_deadline_});
  }

  /// A master that was replaced may go on answering, so the Sentinels are asked now and then.
  void look_for_master() {
    if (address_.sentinels.empty() || Clock::now() < next_look_) return;
    next_look_ = Clock::now() + master_look_period;
    if (sentinels_.asking()) sentinels_.cancel();  // a silent one
    sentinels_.locate([this](const std::string& error, const RedisEndpoint& master) {
      if (phase_ != Phase::up || !error.empty() || master == address_.server) return;
      const auto self = shared_from_this();
      lost("the master is " + master.label() + " now", false);
    });
  }

  void send_to(const std::string& identity, const std::string& command, Pending pending) {
    if (identity.empty() || identity == identity_) return send(command, std::move(pending));
    identify_again();
    pending.handler(Error{Errc::gate_untrusted, "redis at " + address_.label() + " is " + identity_ +
                                                    ", and the coupon's state is trusted on " + identity});
  }

  /// A server that goes on may take another name, and the store may have learned it before us.
  void identify_again() {
    if (std::exchange(identifying_, true)) return;
    send(identity_command(), {[this](Result<Reply> reply) {
                                identifying_ = false;
                                if (phase_ != Phase::up || !reply) return;
                                const auto identity = read_identity(**reply);
                                if (identity) identity_ = identity->name();
                              },
                              Clock::now() + options_.call_timeout});
  }

  void greet(const std::string& command) {
    send(command, {[this](Result<Reply> reply) {
                     if (phase_ != Phase::connecting || !reply) return;
                     if (is_error(**reply)) lost(refusal(**reply).message, true);
                   },
                   attempt_deadline_});
  }

  void came_up() {
    if (backoff_.failures() > 0) log::info("redis connection is back", {{"server", address_.label()}});
    phase_ = Phase::up;
    backoff_.succeeded();
    next_look_ = Clock::now() + master_look_period;
    auto waiting = std::exchange(waiting_, {});
    for (Waiting& call : waiting) {
      if (closed_) return;
      send_to(call.identity, call.command, std::move(call.pending));
    }
  }

  void send(const std::string& command, Pending pending) {
    arm_timer(pending.deadline);
    in_flight_.push_back(std::move(pending));
    outgoing_ += command;
    if (!writing_) write_more();
  }

  /// Commands that come while a write is out go with the next one.
  void write_more() {
    writing_ = true;
    socket_->write(std::exchange(outgoing_, {}), [this](const std::string& error) {
      if (!error.empty()) return lost(error, false);
      writing_ = false;
      if (!outgoing_.empty()) write_more();
    });
  }

  void read_more() {
    socket_->read([this](const std::string& error, std::string_view bytes) {
      if (!error.empty()) return lost(error, false);
      // A handler may destroy the connection, or a bad reply drop the stream, while we go on.
      const auto self = shared_from_this();
      const auto stream = streams_;
      redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
      while (streams_ == stream && answer_next()) {
      }
      if (streams_ == stream) read_more();
    });
  }

  /// Hands one whole reply to whoever waits for it; false when there is none.
  bool answer_next() {
    void* parsed = nullptr;
    if (redisReaderGetReply(reader_.get(), &parsed) != REDIS_OK) {
      lost(std::string("protocol error: ") + reader_->errstr, true);
      return false;
    }
    if (!parsed) return false;
    Reply reply(static_cast<redisReply*>(parsed));
    if (in_flight_.empty()) {
      lost("an answer nobody asked for", true);
      return false;
    }
    // A master that was demoted: the name may lead to the new one by now.
    const bool demoted = is_error(*reply, "READONLY");
    const ReplyHandler handler = std::move(in_flight_.front().handler);
    in_flight_.pop_front();
    const auto stream = streams_;
    handler(std::move(reply));
    if (demoted && streams_ == stream) lost("the server is a read-only replica", true);
    return true;
  }

  /// Drops the stream and fails whatever waits. `blame`: leave the server alone for a while.
  void lost(const std::string& reason, bool blame) {
    const auto self = shared_from_this();
    const bool was_up = phase_ == Phase::up;
    if (was_up || backoff_.failures() == 0) {
      log::warn(was_up ? "redis connection lost" : "redis cannot be reached",
                {{"server", address_.label()}, {"reason", reason}});
    }
    if (blame || !was_up) backoff_.failed(Clock::now());
    last_error_ = reason;
    ++streams_;
    phase_ = Phase::down;
    sentinels_.cancel();
    address_.server = address_.sentinels.empty() ? address_.server : RedisEndpoint();
    socket_.reset();
    outgoing_.clear();
    writing_ = false;
    identifying_ = false;

    auto in_flight = std::exchange(in_flight_, {});
    auto waiting = std::exchange(waiting_, {});
    for (Waiting& call : waiting) in_flight.push_back(std::move(call.pending));
    for (const Pending& pending : in_flight) {
      if (closed_) return;
      pending.handler(unavailable(reason));
    }
  }

  /// Answers come in order, so the deadline of the oldest command is the one to watch.
  void arm_timer(Clock::time_point deadline) {
    if (timer_armed_ && timer_.expiry() <= deadline) return;
    timer_armed_ = true;
    timer_.expires_at(deadline);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->closed_) return;
      self->timer_armed_ = false;
      self->check_deadlines();
    });
  }

  void check_deadlines() {
    if (phase_ == Phase::down) return;
    if (phase_ == Phase::up && in_flight_.empty()) return;
    const auto deadline = phase_ == Phase::connecting ? attempt_deadline_ : in_flight_.front().deadline;
    if (Clock::now() < deadline) return arm_timer(deadline);
    lost("no answer in time", true);
  }

  asio::io_context& context_;
  const RedisOptions options_;
  const WhenDown when_down_;
  RedisAddress address_;  ///< its server is found anew for each stream when there are Sentinels
  RedisSentinels sentinels_;
  Clock::time_point next_look_{};
  asio::steady_timer timer_;
  bool timer_armed_ = false;

  Phase phase_ = Phase::down;
  RedisBackoff backoff_;
  std::string last_error_ = "not connected";
  bool closed_ = false;

  // Of the present stream.
  std::uint64_t streams_ = 0;  ///< how many have ended: tells whether a handler has ended this one
  std::unique_ptr<RedisSocket> socket_;
  Reader reader_;
  Clock::time_point attempt_deadline_{};
  std::string identity_;      ///< GateIdentity::name of the server, once up
  bool identifying_ = false;  ///< being asked for again
  std::deque<Pending> in_flight_;
  std::deque<Waiting> waiting_;  ///< for the stream to come up
  std::string outgoing_;         ///< for the write under way to end
  bool writing_ = false;
};

RedisConnection::RedisConnection(asio::io_context& context, const RedisOptions& options, WhenDown when_down)
    : impl_(std::make_shared<Impl>(context, options, when_down)) {}

RedisEndpoint RedisConnection::server() const {
  return impl_->server();
}

const std::string& RedisConnection::identity() const {
  return impl_->identity();
}

RedisConnection::~RedisConnection() {
  impl_->close();
}

void RedisConnection::call(std::string command, ReplyHandler handler, std::chrono::milliseconds server_wait,
                           const std::string& identity) {
  impl_->call(std::move(command), std::move(handler), server_wait, identity);
}

void RedisConnection::call(ScriptCall script, ReplyHandler handler, const std::string& identity) {
  std::string command = script.evalsha();
  impl_->call(
      std::move(command),
      [impl = std::weak_ptr(impl_), script = std::move(script), handler = std::move(handler),
       identity](Result<Reply> reply) {
        const auto self = impl.lock();
        if (!self || !reply || !is_error(**reply, "NOSCRIPT")) return handler(std::move(reply));
        self->call(script.eval(), handler, {}, identity);
      },
      {}, identity);
}

}  // namespace seonchak
