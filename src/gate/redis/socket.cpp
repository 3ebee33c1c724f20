#include "gate/redis/socket.hpp"

#include <array>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

namespace seonchak {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes_max = 64 * 1024;

}  // namespace

class RedisSocket::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& context, const RedisAddress& address)
      : address_(address), resolver_(context), socket_(context) {}

  void connect(DoneHandler handler) {
    if (address_.tls) {
      const std::string error = prepare_tls();
      if (!error.empty()) return handler(error);
    }
    resolver_.async_resolve(address_.server.host, std::to_string(address_.server.port),
                            [self = shared_from_this(), handler = std::move(handler)](
                                error_code error, const tcp::resolver::results_type& found) {
                              if (self->closed_) return;
                              if (error) return handler("the name is not known: " + error.message());
                              self->connect_to(found, handler);
                            });
  }

  void write(std::string bytes, DoneHandler handler) {
    outgoing_ = std::move(bytes);
    auto done = [self = shared_from_this(), handler = std::move(handler)](error_code error, std::size_t) {
      if (self->closed_) return;
      handler(error ? error.message() : std::string());
    };
    if (tls_) {
      asio::async_write(*tls_, asio::buffer(outgoing_), std::move(done));
    } else {
      asio::async_write(socket_, asio::buffer(outgoing_), std::move(done));
    }
  }

  void read(ReadHandler handler) {
    auto done = [self = shared_from_this(), handler = std::move(handler)](error_code error,
                                                                          std::size_t size) {
      if (self->closed_) return;
      handler(error ? error.message() : std::string(), std::string_view(self->incoming_.data(), size));
    };
    if (tls_) {
      tls_->async_read_some(asio::buffer(incoming_), std::move(done));
    } else {
      socket_.async_read_some(asio::buffer(incoming_), std::move(done));
    }
  }

  void close() {
    closed_ = true;
    resolver_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  /// Returns an empty text, or what OpenSSL cannot do.
  std::string prepare_tls() {
    tls_context_.emplace(asio::ssl::context::tls_client);
    error_code error;
    tls_context_->set_default_verify_paths(error);
    if (error) return "the system's certificate authorities cannot be read: " + error.message();
    tls_.emplace(socket_, *tls_context_);
    tls_->set_verify_mode(asio::ssl::verify_peer);
    tls_->set_verify_callback(asio::ssl::host_name_verification(address_.server.host));
    error_code not_an_address;
    asio::ip::make_address(address_.server.host, not_an_address);
    if (not_an_address) SSL_set_tlsext_host_name(tls_->native_handle(), address_.server.host.c_str());
    return {};
  }

  void connect_to(const tcp::resolver::results_type& found, DoneHandler handler) {
    asio::async_connect(
        socket_, found,
        [self = shared_from_this(), handler = std::move(handler)](error_code error, const tcp::endpoint&) {
          if (self->closed_) return;
          if (error) return handler(error.message());
          error_code ignored;
          self->socket_.set_option(tcp::no_delay(true), ignored);
          self->socket_.set_option(asio::socket_base::keep_alive(true), ignored);
          if (!self->tls_) return handler({});
          self->shake_hands(handler);
        });
  }

  void shake_hands(DoneHandler handler) {
    tls_->async_handshake(asio::ssl::stream_base::client,
                          [self = shared_from_this(), handler = std::move(handler)](error_code error) {
                            if (self->closed_) return;
                            handler(error ? "the TLS handshake failed: " + error.message() : std::string());
                          });
  }

  const RedisAddress address_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::optional<asio::ssl::context> tls_context_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  std::string outgoing_;
  std::array<char, read_bytes_max> incoming_{};
  bool closed_ = false;
};

RedisSocket::RedisSocket(asio::io_context& context, const RedisAddress& address)
    : impl_(std::make_shared<Impl>(context, address)) {}

RedisSocket::~RedisSocket() {
  impl_->close();
}

void RedisSocket::connect(DoneHandler handler) {
  impl_->connect(std::move(handler));
}
void RedisSocket::write(std::string bytes, DoneHandler handler) {
  impl_->write(std::move(bytes), std::move(handler));
}
void RedisSocket::read(ReadHandler handler) {
  impl_->read(std::move(handler));
}

}  // namespace seonchak
