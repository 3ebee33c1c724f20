#include "store/postgres_lock.hpp"

#include <utility>

#include "store/postgres_connection.hpp"
#include "store/postgres_locks.hpp"

namespace seonchak {

namespace {

const PostgresStatement try_lock = {"try_lock", "SELECT CASE WHEN pg_try_advisory_lock(" +
                                                    std::to_string(advisory_lock_class) +
                                                    ", hashtext($1)) THEN 1::bigint ELSE 0::bigint END"};
const PostgresStatement alive = {"alive", "SELECT 1::bigint"};

class PostgresLock final : public StoreLock {
 public:
  explicit PostgresLock(std::unique_ptr<PostgresConnection> connection)
      : connection_(std::move(connection)) {}

  bool held() override {
    const PostgresCall call{&alive};
    return connection_->run({&call, 1}).has_value();
  }

 private:
  std::unique_ptr<PostgresConnection> connection_;
};

}  // namespace

Result<std::unique_ptr<StoreLock>> try_postgres_lock(const PostgresOptions& options,
                                                     const std::string& name) {
  auto connection = PostgresConnection::open(options);
  if (!connection) return to_error(connection.error());
  const PostgresCall call{&try_lock, PostgresParams().text(name)};
  const auto rows = (*connection)->run({&call, 1});
  if (!rows) return to_error(rows.error());
  if (rows->front().bigint(0, 0) == 0) return std::unique_ptr<StoreLock>();
  return std::unique_ptr<StoreLock>(std::make_unique<PostgresLock>(std::move(*connection)));
}

}  // namespace seonchak
