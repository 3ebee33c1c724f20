#include "gate/redis/sentinel.hpp"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <hiredis/hiredis.h>

#include "gate/redis/command.hpp"
#include "gate/redis/reply.hpp"
#include "gate/redis/socket.hpp"

namespace seonchak {

namespace {

struct ReaderDeleter {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

}  // namespace

class RedisSentinels::Impl {
 public:
  Impl(boost::asio::io_context& context, const RedisAddress& address)
      : context_(context), sentinels_(address.sentinels), master_(address.master) {}

  void locate(Handler handler) {
    handler_ = std::move(handler);
    asked_ = 0;
    error_.clear();
    ask();
  }

  void cancel() {
    if (!handler_) return;
    handler_ = nullptr;
    socket_.reset();
    current_ = (current_ + 1) % sentinels_.size();
  }

  bool asking() const { return handler_ != nullptr; }

 private:
  void ask() {
    RedisAddress address;
    address.server = sentinels_[current_];
    reader_.reset(redisReaderCreate());
    socket_ = std::make_unique<RedisSocket>(context_, address);
    socket_->connect([this](const std::string& error) {
      if (!error.empty()) return next(error);
      socket_->write(redis_command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_}),
                     [this](const std::string& failed) {
                       if (!failed.empty()) next(failed);
                     });
      read();
    });
  }

  void read() {
    socket_->read([this](const std::string& error, std::string_view bytes) {
      if (!error.empty()) return next(error);
      redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
      void* parsed = nullptr;
      if (redisReaderGetReply(reader_.get(), &parsed) != REDIS_OK) return next("protocol error");
      if (parsed == nullptr) return read();
      const Reply reply(static_cast<redisReply*>(parsed));
      if (is_error(*reply)) return next(refusal(*reply).message);
      if (size_of(*reply) != 2) return next("it knows no master " + master_);
      const auto port = integer_of(element(*reply, 1)).value_or(0);
      if (port < 1 || port > 65'535) return next("it answered with an odd port");
      finish({}, {std::string(text_of(element(*reply, 0)).value_or("")), static_cast<std::uint16_t>(port)});
    });
  }

  void next(const std::string& error) {
    if (!error_.empty()) error_ += "; ";
    error_ += "Sentinel " + sentinels_[current_].label() + ": " + error;
    current_ = (current_ + 1) % sentinels_.size();
    if (++asked_ < sentinels_.size()) return ask();
    finish(error_, {});
  }

  void finish(const std::string& error, const RedisEndpoint& master) {
    const Handler handler = std::exchange(handler_, nullptr);
    retired_ = std::move(socket_);  // its handler is still running
    handler(error, master);
  }

  boost::asio::io_context& context_;
  const std::vector<RedisEndpoint> sentinels_;
  const std::string master_;
  Handler handler_;
  std::size_t current_ = 0;
  std::size_t asked_ = 0;
  std::string error_;
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  std::unique_ptr<RedisSocket> socket_;
  std::unique_ptr<RedisSocket> retired_;
};

RedisSentinels::RedisSentinels(boost::asio::io_context& context, const RedisAddress& address)
    : impl_(std::make_unique<Impl>(context, address)) {}
RedisSentinels::~RedisSentinels() = default;

void RedisSentinels::locate(Handler handler) {
  impl_->locate(std::move(handler));
}
void RedisSentinels::cancel() {
  impl_->cancel();
}
bool RedisSentinels::asking() const {
  return impl_->asking();
}

Result<RedisEndpoint> locate_master(const RedisAddress& address, std::chrono::milliseconds timeout) {
  boost::asio::io_context context;
  RedisSentinels sentinels(context, address);
  Result<RedisEndpoint> found = Error{Errc::unavailable, "no Sentinel answered in time"};
  sentinels.locate([&](const std::string& error, const RedisEndpoint& master) {
    if (error.empty()) {
      found = master;
    } else {
      found = Error{Errc::unavailable, error};
    }
    context.stop();
  });
  context.run_for(timeout);
  return found;
}

}  // namespace seonchak
