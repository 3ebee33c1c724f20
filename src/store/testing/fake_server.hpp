#pragma once
#include <array>
#include <stdexcept>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace seonchak {

/// Listens on a free loopback port. Asks the first client for its password, in the clear, and refuses it with
/// `refusal`; without a refusal it accepts connections and never says a word.
class FakeServer {
 public:
  explicit FakeServer(std::string refusal = "") : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, size) != 0 || listen(listener_, 8) != 0 ||
        getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("cannot listen on the loopback");
    }
    port_ = ntohs(address.sin_port);
    if (!refusal.empty()) thread_ = std::thread([this, refusal] { refuse(refusal); });
  }

  ~FakeServer() {
    shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }

  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  int port() const { return port_; }

 private:
  static std::string message(char type, const std::string& body) {
    const auto size = htonl(static_cast<std::uint32_t>(body.size() + sizeof(std::uint32_t)));
    return type + std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + body;
  }

  static void say(int client, const std::string& bytes) {
    (void)send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  static void hear(int client) {
    std::array<char, 1024> bytes{};
    (void)recv(client, bytes.data(), bytes.size(), 0);
  }

  void refuse(const std::string& refusal) {
    const int client = accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    static constexpr char cleartext_password[] = {0, 0, 0, 3};
    hear(client);
    say(client, message('R', std::string(cleartext_password, sizeof(cleartext_password))));
    hear(client);
    const std::string end(1, '\0');
    say(client, message('E', "SFATAL" + end + "VFATAL" + end + "C28P01" + end + "M" + refusal + end + end));
    close(client);
  }

  int listener_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace seonchak
