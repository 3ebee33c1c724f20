#pragma once
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/redis/client.hpp"

namespace seonchak::testing {

/// Far longer than anything healthy takes: tests wait for events, never for time.
inline constexpr std::chrono::seconds patience{30};

/// Asks until `done` says yes; false when patience runs out.
inline bool eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// Different in every test process.
inline std::string unique_id(const std::string& prefix) {
  static std::random_device random;
  return prefix + "-" + std::to_string(getpid()) + "-" + std::to_string(random());
}

/// The server all tests share.
inline RedisOptions shared_redis() {
  const char* const url = std::getenv("SEONCHAK_TEST_REDIS");
  if (!url) throw std::runtime_error("SEONCHAK_TEST_REDIS is not set: run it through ./dev test");
  RedisOptions options;
  options.url = url;
  // A shared machine may be slow; tests of the time limit set their own.
  options.call_timeout = patience;
  return options;
}

inline std::uint16_t free_port() {
  boost::asio::io_context context;
  using boost::asio::ip::tcp;
  tcp::acceptor acceptor(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  return acceptor.local_endpoint().port();
}

/// A redis-server of the test's own, in a folder of its own, with everything on disk at once by default.
class PrivateRedis {
 public:
  explicit PrivateRedis(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    std::string name = (std::filesystem::temp_directory_path() / "seonchak-redis-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no folder for a private redis-server");
    folder_ = name;
    port_ = free_port();
    try {
      start();
    } catch (...) {
      clean_up();
      throw;
    }
  }

  ~PrivateRedis() { clean_up(); }
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  void start() {
    std::vector<std::string> words = {"redis-server",
                                      "--bind",
                                      "127.0.0.1",
                                      "--port",
                                      std::to_string(port_),
                                      "--dir",
                                      folder_.string(),
                                      "--appendonly",
                                      "yes",
                                      "--appendfsync",
                                      "always",
                                      "--save",
                                      "",
                                      "--logfile",
                                      (folder_ / "log").string()};
    words.insert(words.end(), settings_.begin(), settings_.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (posix_spawnp(&pid_, "redis-server", nullptr, nullptr, arguments.data(), environ) != 0) {
      throw std::runtime_error("redis-server is not installed");
    }
    if (!eventually([this] { return listens(); }))
      throw std::runtime_error("a private redis-server does not start");
  }

  void pause() const { ::kill(pid_, SIGSTOP); }

  /// At once, as by a power cut.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  /// `before_host` is "user:password@", or nothing.
  RedisOptions options(const std::string& before_host = "") const {
    RedisOptions options;
    options.url = "redis://" + before_host + "127.0.0.1:" + std::to_string(port_) + "/0";
    options.call_timeout = patience;
    return options;
  }

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void clean_up() {
    kill();
    std::filesystem::remove_all(folder_);
  }

  /// Whether it takes commands: it may refuse this one, but not for still loading.
  bool listens() const {
    RedisClient client(options());
    const auto reply = client.call(redis_command({"PING"}));
    return reply.has_value() || reply.error().message.find("NOAUTH") != std::string::npos;
  }

  std::vector<std::string> settings_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

/// Runs `context` until `done`; false when patience runs out.
inline bool run_until(boost::asio::io_context& context, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience + patience;
  context.restart();
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    if (context.run_one_for(std::chrono::milliseconds(100)) == 0) context.restart();
  }
  return done();
}

}  // namespace seonchak::testing
