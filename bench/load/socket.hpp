#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace load {

// A TCP connection that does not block once it is made.
class Socket {
 public:
  // Throws std::system_error when nobody accepts.
  Socket(const std::string& host, std::uint16_t port);
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  int fd() const { return fd_; }

  // Bytes moved; 0: would block; -1: the connection has ended.
  long send(std::string_view data) const;
  long receive(char* buffer, std::size_t size) const;

 private:
  int fd_;
};

// As many open files as the system grants.
void raise_file_limit();

}  // namespace load
