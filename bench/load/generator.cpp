#include "generator.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <system_error>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "answer.hpp"

namespace load {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t late_ns = 1'000'000;
constexpr std::int64_t grace_ns = 5 * second_ns;
constexpr std::uint64_t broken_max = 10'000;
constexpr int events_max = 256;
constexpr std::size_t receive_bytes = 64 * 1024;

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * second_ns + time.tv_nsec;
}

}  // namespace

Generator::Generator(const Options& options)
    : options_(options), requests_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  connections_.reserve(options.connections);
  for (std::size_t index = 0; index < options.connections; ++index) {
    connections_.push_back({.socket = Socket(options.host, options.port)});
    watch(index, EPOLL_CTL_ADD, EPOLLIN);
    idle_.push_back(index);
  }
  // Without this the kernel may wake an open loop 50 us late.
  ::prctl(PR_SET_TIMERSLACK, 1UL);
}

Generator::~Generator() {
  ::close(epoll_);
}

void Generator::watch(std::size_t index, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_, operation, connections_[index].socket.fd(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

Report Generator::run() {
  start_ns_ = now_ns();
  last_answer_ns_ = start_ns_;
  stop_ns_ = options_.seconds > 0 ? start_ns_ + static_cast<std::int64_t>(options_.seconds * second_ns)
                                  : std::numeric_limits<std::int64_t>::max() - grace_ns;
  std::array<epoll_event, events_max> events{};
  std::int64_t now = start_ns_;
  while (!finished(now)) {
    send_due(now);
    const std::int64_t wait = wait_ns(now_ns());
    const timespec timeout{wait / second_ns, wait % second_ns};
    const int count = ::epoll_pwait2(epoll_, events.data(), events_max, &timeout, nullptr);
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_pwait2");
    for (int each = 0; each < count; ++each) on_ready(events[each].data.u64, events[each].events);
    now = now_ns();
  }
  finish(now);
  return report_;
}

std::int64_t Generator::due_ns(std::uint64_t request) const {
  return start_ns_ + static_cast<std::int64_t>(static_cast<double>(request) / options_.rate * second_ns);
}

// Whether there is a request that belongs to this run. An open loop still sends what became due before the
// end.
bool Generator::more_to_send(std::int64_t now) const {
  if (options_.requests != 0 && report_.sent >= options_.requests) return false;
  return (open_loop() ? due_ns(report_.sent) : now) < stop_ns_;
}

bool Generator::finished(std::int64_t now) const {
  if (now >= stop_ns_ + grace_ns) return true;
  return idle_.size() == connections_.size() && !more_to_send(now);
}

std::int64_t Generator::wait_ns(std::int64_t now) const {
  constexpr std::int64_t look_around_ns = second_ns / 10;
  if (!open_loop() || idle_.empty() || !more_to_send(now)) return look_around_ns;
  return std::clamp<std::int64_t>(due_ns(report_.sent) - now, 0, look_around_ns);
}

void Generator::send_due(std::int64_t now) {
  while (!idle_.empty() && more_to_send(now)) {
    const std::int64_t since = open_loop() ? due_ns(report_.sent) : now;
    if (since > now) return;
    if (now - since > late_ns) ++report_.late;
    const std::size_t index = idle_.back();
    idle_.pop_back();
    send_on(index, since);
  }
}

void Generator::send_on(std::size_t index, std::int64_t since_ns) {
  Connection& connection = connections_[index];
  const std::string_view request = requests_.next();
  ++report_.sent;
  connection.since_ns = since_ns;
  connection.waiting = true;
  const long sent = connection.socket.send(request);
  if (sent < 0) {
    reconnect(index);
  } else if (static_cast<std::size_t>(sent) < request.size()) {
    connection.unsent = request.substr(static_cast<std::size_t>(sent));
    watch(index, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
}

void Generator::on_ready(std::size_t index, std::uint32_t events) {
  Connection& connection = connections_[index];
  if ((events & EPOLLOUT) != 0) {
    const long sent = connection.socket.send(connection.unsent);
    if (sent < 0) return reconnect(index);
    connection.unsent.erase(0, static_cast<std::size_t>(sent));
    if (connection.unsent.empty()) watch(index, EPOLL_CTL_MOD, EPOLLIN);
  }
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  static std::array<char, receive_bytes> buffer;
  const long size = connection.socket.receive(buffer.data(), buffer.size());
  if (size < 0) return reconnect(index);
  if (size > 0) on_bytes(index, {buffer.data(), static_cast<std::size_t>(size)});
}

void Generator::on_bytes(std::size_t index, std::string_view bytes) {
  Connection& connection = connections_[index];
  if (!connection.received.empty()) bytes = connection.received.append(bytes);
  const Answer answer = parse_answer(bytes);
  if (answer.state == Answer::State::incomplete) {
    if (connection.received.empty()) connection.received = bytes;
    return;
  }
  // An answer to nothing, or bytes after one: what follows could not be told apart.
  if (answer.state == Answer::State::malformed || answer.bytes != bytes.size() || !connection.waiting) {
    throw std::runtime_error("not an answer: " + std::string(bytes.substr(0, 200)));
  }
  connection.received.clear();
  on_answer(index, answer.status);
}

void Generator::on_answer(std::size_t index, int status) {
  const std::int64_t now = now_ns();
  Connection& connection = connections_[index];
  report_.latency.record(now - connection.since_ns);
  ++report_.answered;
  ++report_.statuses[static_cast<std::size_t>(status)];
  last_answer_ns_ = now;
  connection.waiting = false;
  // Sent at once rather than after the other answers of this round, so that the server never runs dry.
  idle_.push_back(index);
  send_due(now);
}

void Generator::reconnect(std::size_t index) {
  Connection& connection = connections_[index];
  if (connection.waiting) {
    if (++report_.broken > broken_max) throw std::runtime_error("too many broken connections");
    idle_.push_back(index);
  }
  connection = {.socket = Socket(options_.host, options_.port)};
  watch(index, EPOLL_CTL_ADD, EPOLLIN);
}

void Generator::finish(std::int64_t now) {
  report_.elapsed_ns = last_answer_ns_ - start_ns_;
  report_.unanswered = connections_.size() - idle_.size();
  if (open_loop() && more_to_send(now)) {
    const std::int64_t window_ns = stop_ns_ - start_ns_;
    const auto due = static_cast<std::uint64_t>(static_cast<double>(window_ns) / second_ns * options_.rate);
    const std::uint64_t planned = options_.requests == 0 ? due : std::min(due, options_.requests);
    report_.unsent = planned - std::min(planned, report_.sent);
  }
}

}  // namespace load
