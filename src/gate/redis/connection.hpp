#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "gate/redis/command.hpp"
#include "gate/redis/options.hpp"
#include "gate/redis/reply.hpp"

namespace boost::asio {
class io_context;
}

namespace seonchak {

/// A pipelined connection to one Redis server that comes back by itself. Used from the loop's thread.
///
/// It connects when it is first needed. Commands go out in the order of the calls and may be in flight
/// together. An answer that is late drops the connection, and everything in flight fails with `unavailable`.
/// After that an attempt to reconnect is made by a call, not before a growing wait of 50 ms to 1 s is over.
class RedisConnection {
 public:
  /// What a call does while the connection is being brought back after a failure.
  enum class WhenDown {
    fail,  ///< fail at once, so that a server in trouble holds nobody up
    wait,  ///< wait for the attempt, for callers that block anyway
  };

  /// Throws StartupError when options.url is wrong.
  RedisConnection(boost::asio::io_context& context, const RedisOptions& options, WhenDown when_down);

  /// Handlers not called yet never will be.
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  /// Where the present or last stream leads; with Sentinels nowhere while there is none.
  RedisEndpoint server() const;

  /// GateIdentity::name of that server, as far as it is known.
  const std::string& identity() const;

  /// Sends a formatted command and calls `handler` once, within call_timeout + `server_wait`; possibly before
  /// call returns. `server_wait` is how long the command itself may block in the server. With an identity
  /// (GateIdentity::name), the call is sent to that server only, and fails with gate_untrusted on another:
  /// each connection asks its server who it is before anything else.
  void call(std::string command, ReplyHandler handler, std::chrono::milliseconds server_wait = {},
            const std::string& identity = {});

  /// Sends the script's hash, and the script itself if the server does not know it. Calls that are in flight
  /// when the server forgets its scripts are sent again in their order. `identity` as above.
  void call(ScriptCall script, ReplyHandler handler, const std::string& identity = {});

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace seonchak
