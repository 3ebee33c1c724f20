#include "socket.hpp"

#include <cerrno>
#include <system_error>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace load {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Socket::Socket(const std::string& host, std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const bool known = inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1;
  const int on = 1;
  if (!known || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
      ::fcntl(fd_, F_SETFL, O_NONBLOCK) != 0) {
    const int error = known ? errno : EINVAL;
    ::close(fd_);
    errno = error;
    fail("connect to " + host + ":" + std::to_string(port));
  }
}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

long Socket::send(std::string_view data) const {
  const auto sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  return would_block() ? 0 : -1;
}

long Socket::receive(char* buffer, std::size_t size) const {
  const auto received = ::recv(fd_, buffer, size, 0);
  if (received > 0) return received;
  return received < 0 && would_block() ? 0 : -1;
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace load
