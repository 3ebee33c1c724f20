#include "http/server.hpp"

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "http/listen.hpp"
#include "http/worker.hpp"

namespace seonchak {

namespace {

constexpr std::chrono::milliseconds drain_poll{5};
constexpr std::size_t files_besides_connections = 256;

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, ServerParts parts) : options_(std::move(options)), parts_(std::move(parts)) {}

  ~Impl() {
    if (!state_) return;
    state_->operators.stop();
    state_->changes.stop();
    state_->readers.stop();
    // Every loop stands still before the first one is taken apart.
    for (const auto& worker : workers_) worker->stop();
  }

  void start() {
    boost::asio::ip::tcp::endpoint endpoint = resolve_listen(options_.listen);
    if (endpoint.port() != 0) require_free(endpoint);
    loopback_ = endpoint.address().is_loopback();
    ServerOptions options = options_;
    options.connections_max = affordable_connections();
    state_.emplace(options, parts_, loopback_);
    const unsigned threads =
        options_.threads > 0 ? options_.threads : std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(*state_, parts_, endpoint));
      endpoint = workers_.front()->endpoint();
    }
    address_ = to_string(endpoint);
    for (const auto& worker : workers_) worker->start();
  }

  bool drain() {
    for (const auto& worker : workers_) worker->drain();
    const auto deadline = std::chrono::steady_clock::now() + options_.drain_timeout;
    while (open_connections() > 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(drain_poll);
    }
    const bool done = open_connections() == 0;
    if (!done) log::warn("connections cut off", {{"open", open_connections()}});
    for (const auto& worker : workers_) worker->close_all();
    return done;
  }

  const std::string& address() const { return address_; }
  bool loopback() const { return loopback_; }

 private:
  std::size_t open_connections() const { return state_ ? state_->connections.load() : 0; }

  /// A connection too many is better refused than left waiting for a file descriptor.
  std::size_t affordable_connections() const {
    const std::size_t files = raise_open_files_limit();
    if (files >= options_.connections_max + files_besides_connections) return options_.connections_max;
    const std::size_t affordable =
        files > 2 * files_besides_connections ? files - files_besides_connections : files / 2;
    log::warn("the limit of open files lowers that of connections; raise it (ulimit -Hn)",
              {{"files", files}, {"connections_max", affordable}});
    return affordable;
  }

  const ServerOptions options_;
  const ServerParts parts_;
  std::string address_;
  bool loopback_ = false;
  std::optional<ServerState> state_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

Server::Server(ServerOptions options, ServerParts parts)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(parts))) {}
Server::~Server() = default;
void Server::start() {
  impl_->start();
}
std::string Server::address() const {
  return impl_->address();
}
bool Server::loopback() const {
  return impl_->loopback();
}
bool Server::drain() {
  return impl_->drain();
}

}  // namespace seonchak
