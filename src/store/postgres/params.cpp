#include <libpq-fe.h>

#include "store/postgres/array.hpp"
#include "store/postgres/connection.hpp"

namespace seonchak {

namespace format = postgres_format;

PostgresParams& PostgresParams::add(unsigned oid, std::optional<std::string> bytes) {
  oids_.push_back(oid);
  values_.push_back(std::move(bytes));
  return *this;
}

PostgresParams& PostgresParams::text(std::string value) {
  return add(format::text_oid, std::move(value));
}

PostgresParams& PostgresParams::bigint(std::int64_t value) {
  return add(format::bigint_oid, format::encode(value));
}

PostgresParams& PostgresParams::time(std::optional<Time> value) {
  if (!value) return add(format::timestamptz_oid, std::nullopt);
  return add(format::timestamptz_oid, format::encode(format::to_timestamptz(*value)));
}

PostgresParams& PostgresParams::texts(std::span<const std::string_view> values) {
  return add(format::text_array_oid, format::encode_array(values));
}

PostgresParams& PostgresParams::bigints(std::span<const std::int64_t> values) {
  return add(format::bigint_array_oid, format::encode_array(values));
}

PostgresParams& PostgresParams::integers(std::span<const std::int32_t> values) {
  return add(format::integer_array_oid, format::encode_array(values));
}

PostgresParams& PostgresParams::times(std::span<const Time> values) {
  return add(format::timestamptz_array_oid, format::encode_array(values));
}

void PostgresRows::Clear::operator()(pg_result* result) const {
  PQclear(result);
}

std::size_t PostgresRows::size() const {
  return static_cast<std::size_t>(PQntuples(result_.get()));
}

bool PostgresRows::null(std::size_t row, int column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

std::string_view PostgresRows::text(std::size_t row, int column) const {
  const int index = static_cast<int>(row);
  return {PQgetvalue(result_.get(), index, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), index, column))};
}

std::int32_t PostgresRows::integer(std::size_t row, int column) const {
  return format::decode_integer(text(row, column));
}

std::int64_t PostgresRows::bigint(std::size_t row, int column) const {
  return format::decode_bigint(text(row, column));
}

Time PostgresRows::time(std::size_t row, int column) const {
  return format::from_timestamptz(bigint(row, column));
}

std::optional<Time> PostgresRows::optional_time(std::size_t row, int column, std::int64_t none) const {
  if (null(row, column) || bigint(row, column) == none) return std::nullopt;
  return time(row, column);
}

}  // namespace seonchak
