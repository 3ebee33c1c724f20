#pragma once
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/async_result.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "http/exchange.hpp"
#include "http/output.hpp"
#include "http/request.hpp"
#include "http/worker.hpp"

namespace seonchak {

/// One client's connection: reads requests and answers them in order, one at a time, until either side has
/// had enough. Lives on its worker's thread; calls that block run elsewhere while the connection waits for
/// their answer.
class Connection final : public ConnectionHook, private Exchange {
 public:
  /// The connection has been counted in ServerState::connections.
  Connection(Worker& worker, Socket socket);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Serves until the connection ends, then destroys it.
  static Awaitable serve(std::unique_ptr<Connection> connection);

  /// Ends what has been overdue since before `time`.
  void sweep(SteadyTime time);

  /// Closes it if it is between two requests; otherwise the next answer is the last.
  void drain();

  /// Closes it, whatever it is doing. A call in flight still ends in its own time, with nobody to answer.
  void close();

  /// After the event loop has stopped: gives up waiting for an answer, so that the coroutine can be
  /// destroyed.
  void abandon() { suspended_.reset(); }

 private:
  enum class Phase { idle, reading, answering, writing, lingering };
  enum class Parsed { incomplete, complete, refused };
  using Suspended = boost::asio::async_result<Token, void()>::handler_type;

  const Call& call() const override { return call_; }
  Issuer& issuer() override { return worker_.issuer(); }
  Answer& scratch() override { return worker_.scratch(); }
  void reply(const Answer& answer) override;

  Awaitable run();
  Awaitable linger();

  Parsed parse();
  Parsed parse_header();
  Parsed parse_body();
  Parsed refuse(const Problem& problem, Rejection why);
  Parsed refuse_malformed(const boost::system::error_code& error);

  void dispatch();
  void handle(const Route& route);
  void answer_in_pool(const Blocks& call);
  void change_in_pool(const Blocks& call);
  bool write_now();
  void withdraw_late();
  void enter(Phase phase);
  bool request_begun() const;
  void wait_for_more();

  Worker& worker_;
  ServerState& state_;
  Socket socket_;

  boost::beast::flat_buffer in_;
  Output out_;
  Request request_;
  std::optional<RequestParser> parser_;  // of the request that is arriving or being answered
  std::size_t header_bytes_ = 0;         // of that request, taken from in_ so far
  std::string path_scratch_;

  Call call_;
  Framing framing_;
  std::size_t route_class_ = 0;
  bool answered_ = false;
  std::optional<Suspended> suspended_;  // the coroutine, while it waits for an answer

  Phase phase_ = Phase::idle;
  SteadyTime deadline_ = SteadyTime::max();
  bool timed_out_ = false;
  bool closing_ = false;  // after what is in out_
};

}  // namespace seonchak
