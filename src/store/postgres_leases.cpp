#include "store/postgres_leases.hpp"

#include <utility>

#include "store/postgres_connection.hpp"

namespace seonchak {

namespace {

const PostgresStatement read_lease = {"read_lease", "SELECT token, beat, holder FROM lease WHERE name = $1"};

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
  return LeaseRow{rows->bigint(0, 0), rows->bigint(0, 1), std::string(rows->text(0, 2))};
}

Result<std::optional<std::int64_t>> PostgresLeases::take(const std::string& name, const LeaseRow& seen,
                                                         const std::string& holder) {
  PostgresParams params;
  params.text(name).text(holder);
  if (seen.token > 0) params.bigint(seen.token).bigint(seen.beat);
  const auto rows = pool_.query(seen.token > 0 ? take_lease : first_lease, std::move(params));
  if (!rows) return rows.error();
  if (rows->size() == 0) return std::optional<std::int64_t>();
  return std::optional(rows->bigint(0, 0));
}

Result<bool> PostgresLeases::beat(const std::string& name, std::int64_t token) {
  const auto rows = pool_.query(beat_lease, PostgresParams().text(name).bigint(token));
  if (!rows) return rows.error();
  return rows->size() > 0;
}

Result<void> PostgresLeases::release(const std::string& name, std::int64_t token) {
  const auto rows = pool_.query(release_lease, PostgresParams().text(name).bigint(token));
  if (!rows) return rows.error();
  return {};
}

}  // namespace seonchak
