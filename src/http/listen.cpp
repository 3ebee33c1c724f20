#include "http/listen.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/error.hpp"

namespace seonchak {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

[[noreturn]] void fail(const std::string& address, const std::string& why) {
  throw StartupError("cannot listen on " + address + ": " + why +
                     "; choose another address with --listen HOST:PORT");
}

void share_port(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

}  // namespace

tcp::endpoint resolve_listen(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) fail(address, "the port is missing");
  std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  const bool numeric =
      !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!numeric || std::stoul(port) > 65'535) fail(address, "the port must be a number from 0 to 65535");
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);

  asio::io_context context;
  tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found =
      resolver.resolve(host, port, tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) fail(address, error.message());
  return found.begin()->endpoint();
}

void require_free(const tcp::endpoint& endpoint) {
  asio::io_context context;
  tcp::acceptor probe(context);
  boost::system::error_code error;
  probe.open(endpoint.protocol(), error);
  if (!error) probe.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) probe.bind(endpoint, error);
  if (error) fail(to_string(endpoint), error.message());
}

void listen_on(asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>& acceptor,
               const tcp::endpoint& endpoint) {
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) share_port(acceptor.native_handle());
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor.non_blocking(true, error);
  if (error) fail(to_string(endpoint), error.message());
}

std::string to_string(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? '[' + host + ']' : host) + ':' + std::to_string(endpoint.port());
}

std::size_t raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace seonchak
