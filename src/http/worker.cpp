#include "http/worker.hpp"

#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include "base/log.hpp"
#include "base/named_thread.hpp"
#include "http/connection.hpp"
#include "http/listen.hpp"

namespace seonchak {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds sweep_period{250};
constexpr std::chrono::milliseconds accept_backoff{100};  // when the process is out of file descriptors
constexpr int loop_threads = 1;

}  // namespace

Worker::Worker(ServerState& state, const ServerParts& parts, const tcp::endpoint& endpoint)
    : state_(state),
      context_(loop_threads),
      work_(asio::make_work_guard(context_)),
      acceptor_(context_),
      sweep_timer_(context_),
      next_sweep_(std::chrono::steady_clock::now() + sweep_period),
      loop_(context_) {
  listen_on(acceptor_, endpoint);
  if (!state_.options.serve_api) return;
  catalog_.emplace(*parts.catalog);
  waiters_.emplace(loop_, *parts.watermarks, parts.ack);
  refusals_.emplace(*parts.refusals);
  gate_ = parts.make_gate(context_);
  issuer_.emplace(loop_, *gate_, *catalog_, *waiters_, *parts.watermarks, *parts.unsaved_claims, *refusals_,
                  parts.metrics, parts.issuer);
}

/// The members' order does the rest: the gate goes before the event loop, and the loop's coroutines, which
/// own the connections, before the list that the connections are in.
Worker::~Worker() {
  stop();
  for (Connection& connection : connections_) connection.abandon();
}

void Worker::start() {
  asio::co_spawn(context_, accept(), asio::detached);
  asio::co_spawn(context_, sweep(), asio::detached);
  thread_ = named_thread("loop", [this] { context_.run(); });
}

void Worker::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::drain() {
  std::promise<void> done;
  asio::post(context_, [&] {
    begin_drain();
    done.set_value();
  });
  done.get_future().wait();
}

void Worker::begin_drain() {
  draining_ = true;
  // Clients in the kernel's queue think they are connected: take them in, so that closing does not reset
  // them.
  boost::system::error_code error;
  while (acceptor_.is_open() && !error) {
    Socket socket(context_);
    acceptor_.accept(socket, error);
    if (!error) admit(std::move(socket));
  }
  acceptor_.close(error);
  for (Connection& connection : connections_) connection.drain();
}

void Worker::close_all() {
  std::promise<void> done;
  asio::post(context_, [&] {
    for (Connection& connection : connections_) connection.close();
    done.set_value();
  });
  done.get_future().wait();
}

void Worker::adopt(Connection& connection) {
  connections_.push_back(connection);
}

Awaitable Worker::accept() {
  while (acceptor_.is_open()) {
    Socket socket(context_);
    boost::system::error_code error;
    co_await acceptor_.async_accept(socket, asio::redirect_error(Token(), error));
    if (!acceptor_.is_open()) co_return;
    if (!error) {
      admit(std::move(socket));
      continue;
    }
    log::warn("cannot accept a connection", {{"why", error.message()}});
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                               Executor>
        pause(context_, accept_backoff);
    co_await pause.async_wait(asio::redirect_error(Token(), error));
  }
}

void Worker::admit(Socket socket) {
  boost::system::error_code error;
  socket.non_blocking(true, error);
  if (state_.connections.fetch_add(1) >= state_.options.connections_max) {
    state_.connections.fetch_sub(1);
    state_.metrics.count_rejection(Rejection::too_many_connections);
    std::string refusal;
    append_response(refusal, to_answer(problem_of(Error{Errc::overloaded, {}})), {.keep_alive = false},
                    date());
    socket.write_some(asio::buffer(refusal), error);
    return;
  }
  socket.set_option(tcp::no_delay(true), error);
  asio::co_spawn(context_, Connection::serve(std::make_unique<Connection>(*this, std::move(socket))),
                 asio::detached);
}

/// One timer for all deadlines of the loop.
Awaitable Worker::sweep() {
  while (true) {
    boost::system::error_code error;
    sweep_timer_.expires_at(next_sweep_);
    co_await sweep_timer_.async_wait(asio::redirect_error(Token(), error));
    const SteadyTime time = std::chrono::steady_clock::now();
    next_sweep_ = time + sweep_period;
    for (Connection& connection : connections_) connection.sweep(time);
  }
}

}  // namespace seonchak
