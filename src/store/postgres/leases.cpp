#include "store/postgres/leases.hpp"

#include <utility>

#include "store/postgres/connection.hpp"
#include "store/postgres/locks.hpp"

namespace seonchak {

namespace {

/// The lock of tenure $1 (name), $2 (token).
const std::string tenure_key = "hashtext($1 || ':' || $2::text)";

const PostgresStatement lock_tenure = {"lock_tenure", "SELECT CASE WHEN pg_try_advisory_lock(" +
                                                          std::to_string(advisory_lock_class) + ", " +
                                                          tenure_key + ") THEN 1::bigint ELSE 0 END"};

const PostgresStatement read_lease = {"read_lease", "SELECT token, beat, holder FROM lease WHERE name = $1"};

const PostgresStatement tenure_lives = {
    "tenure_lives",
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = " +
        std::to_string(advisory_lock_class) + " AND objid::bigint = " + tenure_key +
        "::bigint & x'ffffffff'::bigint"};

const PostgresStatement first_lease = {
    "first_lease",
    "INSERT INTO lease (name, token, beat, holder) VALUES ($1, 1, 0, $2) ON CONFLICT (name) DO NOTHING"
    " RETURNING token"};

const PostgresStatement take_lease = {"take_lease",
                                      "UPDATE lease SET token = token + 1, beat = 0, holder = $2"
                                      " WHERE name = $1 AND token = $3 AND beat = $4 RETURNING token"};

const PostgresStatement beat_lease = {
    "beat_lease",
    "UPDATE lease SET beat = beat + 1 WHERE name = $1 AND token = $2 AND holder <> '' RETURNING token"};

const PostgresStatement release_lease = {
    "release_lease",
    "UPDATE lease SET beat = beat + 1, holder = '' WHERE name = $1 AND token = $2 AND holder <> ''"};

}  // namespace

Result<LeaseRow> PostgresLeases::read(const std::string& name) {
  const auto rows = pool_.query(read_lease, PostgresParams().text(name));
  if (!rows) return rows.error();
  if (rows->size() == 0) return LeaseRow{};
  LeaseRow lease{rows->bigint(0, 0), rows->bigint(0, 1), std::string(rows->text(0, 2))};
  const auto lives = pool_.query(tenure_lives, PostgresParams().text(name).bigint(lease.token));
  if (!lives) return lives.error();
  if (lives->bigint(0, 0) == 0) lease.holder.clear();
  return lease;
}

Result<std::optional<std::int64_t>> PostgresLeases::take(const std::string& name, const LeaseRow& seen,
                                                         const std::string& holder) {
  // First the session, so that nobody sees the new token without it.
  auto session = open_session({name, seen.token + 1});
  if (!session) return session.error();
  if (!*session) return std::optional<std::int64_t>();
  PostgresParams params;
  params.text(name).text(holder);
  if (seen.token > 0) params.bigint(seen.token).bigint(seen.beat);
  const auto rows = pool_.query(seen.token > 0 ? take_lease : first_lease, std::move(params));
  if (!rows) return rows.error();
  if (rows->size() == 0) return std::optional<std::int64_t>();
  const std::int64_t token = rows->bigint(0, 0);
  const MutexLock lock(mutex_);
  sessions_[{name, token}] = std::move(*session);
  return std::optional(token);
}

Result<bool> PostgresLeases::beat(const std::string& name, std::int64_t token) {
  renew_session({name, token});
  const auto rows = pool_.query(beat_lease, PostgresParams().text(name).bigint(token));
  if (!rows) return rows.error();
  const bool held = rows->size() > 0;
  if (!held) end_session({name, token});
  return held;
}

Result<void> PostgresLeases::release(const std::string& name, std::int64_t token) {
  const auto rows = pool_.query(release_lease, PostgresParams().text(name).bigint(token));
  end_session({name, token});
  if (!rows) return rows.error();
  return {};
}

// Nothing when another session has its lock.
Result<PostgresLeases::Session> PostgresLeases::open_session(const Tenure& tenure) {
  auto session = PostgresConnection::open(options_);
  if (!session) return to_error(session.error());
  const PostgresCall call{&lock_tenure, PostgresParams().text(tenure.first).bigint(tenure.second)};
  const auto rows = (*session)->run({&call, 1});
  if (!rows) return to_error(rows.error());
  if (rows->front().bigint(0, 0) == 0) return Session();
  return std::move(*session);
}

// One that cannot be made costs no more than that others think the holder gone.
void PostgresLeases::renew_session(const Tenure& tenure) {
  {
    const MutexLock lock(mutex_);
    const auto known = sessions_.find(tenure);
    if (known != sessions_.end() && known->second->usable()) return;
  }
  end_session(tenure);
  auto session = open_session(tenure);
  if (!session || !*session) return;
  const MutexLock lock(mutex_);
  sessions_[tenure] = std::move(*session);
}

void PostgresLeases::end_session(const Tenure& tenure) {
  Session ended;
  const MutexLock lock(mutex_);
  const auto known = sessions_.find(tenure);
  if (known == sessions_.end()) return;
  ended = std::move(known->second);
  sessions_.erase(known);
}

}  // namespace seonchak
