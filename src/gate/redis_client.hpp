#pragma once
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "gate/redis_command.hpp"
#include "gate/redis_options.hpp"
#include "gate/redis_reply.hpp"

namespace seonchak {

/// A RedisConnection for callers that block. Used from one thread at a time.
/// A call that finds the server down tries to connect, unless that has just failed; it never takes longer
/// than call_timeout, plus what the command may block in the server.
class RedisClient {
 public:
  /// Throws StartupError when options.url is wrong.
  explicit RedisClient(const RedisOptions& options);
  ~RedisClient();

  /// An error answer of the server is a reply, too.
  Result<Reply> call(std::string command, std::chrono::milliseconds server_wait = {});

  /// Runs many at once, a limited number in flight; replies are in order. The first failure fails the call.
  Result<std::vector<Reply>> call_all(std::span<const std::string> commands);

  /// Where the last call went.
  RedisEndpoint server() const;

  /// With an identity (GateIdentity::name), only on that server: gate_untrusted on another.
  Result<Reply> call(const ScriptCall& script, const std::string& identity = {});
  Result<std::vector<Reply>> call_all(std::span<const ScriptCall> scripts);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seonchak
