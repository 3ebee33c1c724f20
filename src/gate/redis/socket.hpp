#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gate/redis/options.hpp"

namespace boost::asio {
class io_context;
}

namespace seonchak {

/// One TCP or TLS stream, from resolving the name to closing. Used from the loop's thread.
///
/// A step's handler gets an empty text, or why the stream is of no use any more. After destruction none is
/// called. With TLS the server's certificate must be valid, by the system's authorities, for the host of the
/// address.
class RedisSocket {
 public:
  using DoneHandler = std::function<void(std::string error)>;
  using ReadHandler = std::function<void(std::string error, std::string_view bytes)>;

  RedisSocket(boost::asio::io_context& context, const RedisAddress& address);
  ~RedisSocket();
  RedisSocket(const RedisSocket&) = delete;
  RedisSocket& operator=(const RedisSocket&) = delete;

  void connect(DoneHandler handler);

  /// Writes all of `bytes`; one write at a time.
  void write(std::string bytes, DoneHandler handler);

  /// Hands over whatever comes next; `bytes` are valid during the handler. One read at a time.
  void read(ReadHandler handler);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace seonchak
