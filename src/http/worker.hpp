#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/intrusive/list.hpp>

#include "http/asio_loop.hpp"
#include "http/response.hpp"
#include "http/server_state.hpp"

namespace seonchak {

using Executor = boost::asio::io_context::executor_type;
using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor>;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using Awaitable = boost::asio::awaitable<void, Executor>;
using Token = boost::asio::use_awaitable_t<Executor>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Connection;
using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One event loop with its thread, listening socket, gate and connections.
/// All but the constructor, the destructor, start(), drain() and stop() is for the loop's thread.
class Worker {
 public:
  /// Listens at once, and accepts after start(). Throws StartupError.
  Worker(ServerState& state, const ServerParts& parts, const boost::asio::ip::tcp::endpoint& endpoint);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

  void start();
  /// Stops accepting and closes idle connections; returns when that is done.
  void drain();
  /// Closes every connection, whatever it is doing; returns when that is done.
  void close_all();
  /// Ends the thread.
  void stop();

  ServerState& state() { return state_; }
  boost::asio::io_context& context() { return context_; }
  Issuer& issuer() { return *issuer_; }
  std::string_view date() { return date_.now(); }
  Answer& scratch() { return scratch_; }
  bool draining() const { return draining_; }

  /// A deadline that is never early, and late by at most two sweeps. Costs no clock call.
  SteadyTime deadline(std::chrono::milliseconds timeout) const { return next_sweep_ + timeout; }

  void adopt(Connection& connection);

 private:
  Awaitable accept();
  Awaitable sweep();
  void admit(Socket socket);
  void begin_drain();

  ServerState& state_;
  boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>,
                         boost::intrusive::constant_time_size<false>>
      connections_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<Executor> work_;
  Acceptor acceptor_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>, Executor>
      sweep_timer_;
  SteadyTime next_sweep_;
  HttpDate date_;
  Answer scratch_;
  bool draining_ = false;

  AsioLoop loop_;
  std::optional<CatalogReader> catalog_;  // this and the next four: when the API is served
  std::optional<AckWaiters> waiters_;
  std::optional<RefusalReader> refusals_;
  std::unique_ptr<Gate> gate_;
  std::optional<Issuer> issuer_;
  std::thread thread_;
};

}  // namespace seonchak
