#pragma once
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "gate/redis/command.hpp"
#include "gate/redis/options.hpp"
#include "gate/redis/reply.hpp"

namespace seonchak {

/// A RedisConnection for callers that block. Used from one thread at a time.
/// A call that finds the server down tries to connect, unless that has just failed; it never takes longer
/// than call_timeout, plus what the command may block in the server.
class RedisClient {
 public:
  /// Throws StartupError when options.url is wrong.
  explicit RedisClient(const RedisOptions& options);
  ~RedisClient();

  /// An error answer of the server is a reply, too. With an identity (GateIdentity::name), the call goes to
  /// that server only: gate_untrusted on another.
  Result<Reply> call(std::string command, std::chrono::milliseconds server_wait = {},
                     const std::string& identity = {});
  Result<Reply> call(const ScriptCall& script, const std::string& identity = {});

  /// Runs many at once, a limited number in flight; replies are in order. After a failure what has not been
  /// sent fails, too.
  std::vector<Result<Reply>> call_all(std::span<const std::string> commands);
  std::vector<Result<Reply>> call_all(std::span<const ScriptCall> scripts);

  /// Where the last call went.
  RedisEndpoint server() const;
  const std::string& identity() const;  ///< GateIdentity::name of that server

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seonchak
