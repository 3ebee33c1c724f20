#include "gate/redis/client.hpp"

#include <algorithm>
#include <optional>

#include <boost/asio/io_context.hpp>

#include "gate/redis/connection.hpp"

namespace seonchak {

namespace {

/// Bounds the replies held at once.
constexpr std::size_t pipelined_commands_max = 256;

}  // namespace

class RedisClient::Impl {
 public:
  explicit Impl(const RedisOptions& options)
      : connection_(context_, options, RedisConnection::WhenDown::wait) {}

  template <class Command>
  std::vector<Result<Reply>> call_all(std::span<const Command> commands, const auto&... extra) {
    std::vector<Result<Reply>> replies;
    replies.reserve(commands.size());
    std::optional<Error> failed;
    while (replies.size() < commands.size()) {
      const auto part = commands.subspan(replies.size());
      if (failed) {
        replies.emplace_back(*failed);
      } else {
        failed = call_part(part.first(std::min(part.size(), pipelined_commands_max)), replies, extra...);
      }
    }
    return replies;
  }

  RedisEndpoint server() const { return connection_.server(); }
  const std::string& identity() const { return connection_.identity(); }

 private:
  /// Runs the loop here, on the caller's thread, until every reply has come. Returns a failure, if any.
  template <class Command>
  std::optional<Error> call_part(std::span<const Command> commands, std::vector<Result<Reply>>& replies,
                                 const auto&... extra) {
    std::optional<Error> failed;
    std::size_t answered = 0;
    const std::size_t first = replies.size();
    for (std::size_t i = 0; i < commands.size(); ++i) replies.emplace_back(Reply());
    context_.restart();
    context_.poll();  // a stream that has ended while nobody ran the loop is noticed before it is used
    for (std::size_t i = 0; i < commands.size(); ++i) {
      connection_.call(
          commands[i],
          [&, slot = first + i](Result<Reply> reply) {
            ++answered;
            if (!reply && !failed) failed = reply.error();
            replies[slot] = std::move(reply);
          },
          extra...);
    }
    context_.restart();
    while (answered < commands.size()) context_.run_one();
    return failed;
  }

  boost::asio::io_context context_{1};
  RedisConnection connection_;
};

RedisClient::RedisClient(const RedisOptions& options) : impl_(std::make_unique<Impl>(options)) {}
RedisClient::~RedisClient() = default;

RedisEndpoint RedisClient::server() const {
  return impl_->server();
}

const std::string& RedisClient::identity() const {
  return impl_->identity();
}

Result<Reply> RedisClient::call(std::string command, std::chrono::milliseconds server_wait,
                                const std::string& identity) {
  return std::move(impl_->call_all(std::span<const std::string>(&command, 1), server_wait, identity).front());
}

Result<Reply> RedisClient::call(const ScriptCall& script, const std::string& identity) {
  return std::move(impl_->call_all(std::span<const ScriptCall>(&script, 1), identity).front());
}

std::vector<Result<Reply>> RedisClient::call_all(std::span<const std::string> commands) {
  return impl_->call_all(commands, std::chrono::milliseconds(0));
}

std::vector<Result<Reply>> RedisClient::call_all(std::span<const ScriptCall> scripts) {
  return impl_->call_all(scripts);
}

}  // namespace seonchak
