#include "store/postgres/pool.hpp"

#include <algorithm>
#include <chrono>

#include "base/invariant.hpp"
#include "base/log.hpp"

namespace seonchak {

Result<PostgresPool::Lease> PostgresPool::acquire(Deadline latest) {
  const auto until = std::min(latest, std::chrono::steady_clock::now() +
                                          std::chrono::milliseconds(options_.connection_wait_timeout_ms));
  MutexLock lock(mutex_);
  const auto free = [this]() REQUIRES(mutex_) { return !idle_.empty() || open_ < options_.connections_max; };
  while (!stopping() && !lock.wait_for(free_, StopDeadline::look_period, free)) {
    if (std::chrono::steady_clock::now() < until) continue;
    return Error{Errc::unavailable,
                 "postgresql: all " + std::to_string(options_.connections_max) + " connections are busy"};
  }
  if (stopping()) return Error{Errc::unavailable, "postgresql: the process is stopping"};
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->usable()) return Lease(*this, std::move(connection));
    --open_;
  }
  ++open_;
  lock.unlock();

  auto opened = PostgresConnection::open(options_, latest);
  if (opened) return Lease(*this, std::move(*opened));
  forget_one();
  return to_error(opened.error());
}

Result<PostgresRows> PostgresPool::query(const PostgresStatement& statement, PostgresParams params,
                                         Deadline latest) {
  auto connection = acquire(latest);
  if (!connection) return connection.error();
  const PostgresCall call{&statement, std::move(params)};
  auto rows = (*connection)->run({&call, 1}, latest);
  if (!rows) return to_error(rows.error());
  return std::move(rows->front());
}

void PostgresPool::give_back(std::unique_ptr<PostgresConnection> connection) {
  connection->reset();
  if (!connection->usable()) {
    log::warn("postgresql connection lost");
    connection.reset();
    forget_one();
    return;
  }
  {
    const MutexLock lock(mutex_);
    idle_.push_back(std::move(connection));
  }
  free_.notify_one();
}

void PostgresPool::forget_one() {
  {
    const MutexLock lock(mutex_);
    invariant(open_ > 0, "a connection that is forgotten was counted");
    --open_;
  }
  free_.notify_one();
}

}  // namespace seonchak
