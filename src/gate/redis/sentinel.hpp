#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "gate/redis/options.hpp"

namespace boost::asio {
class io_context;
}

namespace seonchak {

/// Asks the Sentinels, one after the other, where the master is. Used from the loop's thread; one question at
/// a time. It knows no deadline: whoever asks gives up by cancel().
class RedisSentinels {
 public:
  /// An empty error and the master, or why none of them told.
  using Handler = std::function<void(std::string error, RedisEndpoint master)>;

  RedisSentinels(boost::asio::io_context& context, const RedisAddress& address);
  ~RedisSentinels();
  RedisSentinels(const RedisSentinels&) = delete;
  RedisSentinels& operator=(const RedisSentinels&) = delete;

  /// Begins with the one that answered last; after a cancel(), with the next.
  void locate(Handler handler);

  /// The handler of the question under way, if there is one, is never called.
  void cancel();

  bool asking() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Asks them from a thread that may block. Errors: unavailable.
Result<RedisEndpoint> locate_master(const RedisAddress& address, std::chrono::milliseconds timeout);

}  // namespace seonchak
