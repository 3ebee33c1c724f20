#pragma once
#include <condition_variable>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "base/mutex.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/postgres.hpp"

namespace seonchak {

/// At most connections_max connections, opened when first needed. Safe from any thread; outlives its leases.
class PostgresPool {
 public:
  /// A connection for one caller, back in the pool when the lease ends: any open transaction is rolled back,
  /// and a connection that is not usable is closed instead.
  class Lease {
   public:
    Lease(PostgresPool& pool, std::unique_ptr<PostgresConnection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(std::move(connection_));
    }

    PostgresConnection* operator->() const { return connection_.get(); }
    PostgresConnection& operator*() const { return *connection_; }

   private:
    PostgresPool* pool_;
    std::unique_ptr<PostgresConnection> connection_;
  };

  /// `first`, if there is one, is the pool's from now on.
  PostgresPool(PostgresOptions options, std::unique_ptr<PostgresConnection> first)
      : options_(std::move(options)), open_(first ? 1 : 0) {
    if (first) idle_.push_back(std::move(first));
  }

  using Deadline = PostgresConnection::Deadline;

  /// Errors: unavailable, when no connection came free within connection_wait_timeout_ms or none can be
  /// opened, or the process is stopping.
  Result<Lease> acquire(Deadline latest = Deadline::max());

  /// Runs one statement. Errors: those of acquire(), and to_error() of its failure.
  Result<PostgresRows> query(const PostgresStatement& statement, PostgresParams params,
                             Deadline latest = Deadline::max());

 private:
  void give_back(std::unique_ptr<PostgresConnection> connection);
  void forget_one();
  bool stopping() const { return options_.stop && options_.stop->passed(); }

  const PostgresOptions options_;
  Mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_ GUARDED_BY(mutex_);
  std::size_t open_ GUARDED_BY(mutex_);  // idle, leased, or being opened
};

}  // namespace seonchak
