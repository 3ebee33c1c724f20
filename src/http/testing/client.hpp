#pragma once
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace seonchak::test {

struct Response {
  int status = 0;  ///< 0: the server closed the connection without an answer
  std::map<std::string, std::string> headers;
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  bool has(std::string_view text) const { return body.find(text) != std::string::npos; }
};

/// A client that sends exactly the bytes it is told to.
class Client {
 public:
  static constexpr int patience_s = 60;  // far beyond any deadline under test: reaching it is a failure

  /// `address` is "127.0.0.1:PORT".
  explicit Client(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{patience_s, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))));
    ::inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }

  /// False when the server does not take it any more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Sends what it can without waiting; false once the way is full.
  bool send_without_waiting(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(bytes.size());
  }

  /// Reads one response; `head` when it answers a HEAD.
  Response receive(bool head = false) {
    Response response;
    const std::string head_text = read_until("\r\n\r\n");
    if (head_text.empty()) return response;
    response.status = std::stoi(head_text.substr(head_text.find(' ') + 1));
    for (std::size_t line = head_text.find("\r\n") + 2; line < head_text.size() - 2;) {
      const std::size_t end = head_text.find("\r\n", line);
      const std::size_t colon = head_text.find(": ", line);
      response.headers[head_text.substr(line, colon - line)] = head_text.substr(colon + 2, end - colon - 2);
      line = end + 2;
    }
    if (head || response.status == 100) return response;
    response.body = read_bytes(std::stoul(response.header("Content-Length")));
    return response;
  }

  /// True once the server has closed, after nothing but what was received.
  bool closed() {
    if (!buffer_.empty()) return false;
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

  /// True once the connection is over, whatever still arrives before.
  bool ends() {
    char bytes[4096];
    ssize_t received = 0;
    do {
      received = ::recv(socket_, bytes, sizeof bytes, 0);
    } while (received > 0);
    return received == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  Response ask(std::string_view request, bool head = false) {
    if (!send(request)) return {};
    return receive(head);
  }

 private:
  bool fill() {
    char bytes[16 * 1024];
    const ssize_t received = ::recv(socket_, bytes, sizeof bytes, 0);
    if (received <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(received));
    return true;
  }

  std::string read_until(std::string_view mark) {
    while (buffer_.find(mark) == std::string::npos) {
      if (!fill()) return "";
    }
    return take(buffer_.find(mark) + mark.size());
  }

  std::string read_bytes(std::size_t count) {
    while (buffer_.size() < count) {
      if (!fill()) throw std::runtime_error("the connection ended inside a body");
    }
    return take(count);
  }

  std::string take(std::size_t count) {
    std::string text = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return text;
  }

  int socket_;
  bool connected_ = false;
  std::string buffer_;
};

/// A request with the headers every request needs. `headers` are lines ended by CRLF.
inline std::string request(std::string_view method, std::string_view target, std::string_view headers = "",
                           std::string_view body = "") {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headers);
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text.append("\r\n").append(body);
  return text;
}

inline std::string get(std::string_view target, std::string_view headers = "") {
  return request("GET", target, headers);
}

inline std::string issue(std::string_view coupon, std::string_view user) {
  return request("POST", "/v1/coupons/" + std::string(coupon) + "/issue",
                 "X-User-Id: " + std::string(user) + "\r\n");
}

}  // namespace seonchak::test
