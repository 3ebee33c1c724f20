#pragma once
#include <string>

#include <boost/asio/ip/tcp.hpp>

namespace seonchak {

/// Several sockets, one per event loop, share one address by SO_REUSEPORT; the kernel spreads new connections
/// over them.

/// Resolves "HOST:PORT", "[IPV6]:PORT" or ":PORT" (every address). Throws StartupError.
boost::asio::ip::tcp::endpoint resolve_listen(const std::string& address);

/// Makes sure that nobody listens there: SO_REUSEPORT alone would let two servers of one user share the port,
/// each getting half of the requests. Throws StartupError.
void require_free(const boost::asio::ip::tcp::endpoint& endpoint);

/// Opens, binds and listens. Throws StartupError.
void listen_on(boost::asio::basic_socket_acceptor<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>& acceptor,
               const boost::asio::ip::tcp::endpoint& endpoint);

/// "127.0.0.1:8080", "[::1]:8080".
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

/// Raises the soft limit of open files to the hard one, and returns it.
std::size_t raise_open_files_limit();

}  // namespace seonchak
