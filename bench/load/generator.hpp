#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "histogram.hpp"
#include "options.hpp"
#include "requests.hpp"
#include "socket.hpp"

namespace load {

struct Report {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t broken = 0;      // connections that ended under a request
  std::uint64_t unanswered = 0;  // still waiting when the grace was over
  std::uint64_t unsent = 0;      // open loop: due, but no connection was ever free
  std::uint64_t late = 0;        // open loop: sent more than late_ns after the intended time
  std::int64_t elapsed_ns = 0;   // from the first request to the last answer
  std::array<std::uint64_t, 1000> statuses{};
  Histogram latency;
};

// One thread, one epoll, one request in flight on each connection.
//
// Closed loop: a connection sends again when it is answered; latency counts from the sending. Open loop (rate
// > 0): request i is due at start + i / rate and waits when no connection is free; latency counts from when
// it was due.
class Generator {
 public:
  // Opens all connections. Throws std::system_error when the server is not there.
  explicit Generator(const Options& options);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  Report run();

 private:
  struct Connection {
    Socket socket;
    std::int64_t since_ns = 0;
    bool waiting = false;
    std::string received = {};  // the start of an answer that came in parts
    std::string unsent = {};    // the rest of a request that did not fit
  };

  void watch(std::size_t index, int operation, std::uint32_t events);
  bool open_loop() const { return options_.rate > 0; }
  std::int64_t due_ns(std::uint64_t request) const;
  bool more_to_send(std::int64_t now) const;
  bool finished(std::int64_t now) const;
  std::int64_t wait_ns(std::int64_t now) const;
  void send_due(std::int64_t now);
  void send_on(std::size_t index, std::int64_t since_ns);
  void on_ready(std::size_t index, std::uint32_t events);
  void on_bytes(std::size_t index, std::string_view bytes);
  void on_answer(std::size_t index, int status);
  void reconnect(std::size_t index);
  void finish(std::int64_t now);

  Options options_;
  Requests requests_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<std::size_t> idle_;
  std::int64_t start_ns_ = 0;
  std::int64_t stop_ns_ = 0;  // no request is sent, or due, after this
  std::int64_t last_answer_ns_ = 0;
  Report report_;
};

}  // namespace load
