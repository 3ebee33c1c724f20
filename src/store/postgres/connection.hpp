#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "core/model/ids.hpp"
#include "store/postgres/postgres.hpp"

struct pg_conn;
struct pg_result;

namespace seonchak {

/// Why PostgreSQL did not do what it was asked.
struct PostgresFailure {
  std::string sqlstate;    ///< empty when it never answered
  std::string constraint;  ///< the one that was violated, if any
  std::string message;
};

template <class T>
using PostgresResult = boost::system::result<T, PostgresFailure>;

/// `rejected` for what the data itself causes (classes 22 and 23), `unavailable` for everything that an
/// operator or time may cure: connection, server shutting down, disk full, deadlock, timeout, standby,
/// missing privilege.
Error to_error(const PostgresFailure& failure);

/// The same for a save: `not_now`, too, for an error that the database raises about these rows while it takes
/// others.
Error save_error(const PostgresFailure& failure);

/// The same for a change of coupons, in which nobody waits longer than he must for somebody else: `not_now`
/// is a row that the database refuses to change.
Error change_error(const PostgresFailure& failure);

/// A statement is prepared under its name the first time a connection runs it.
struct PostgresStatement {
  std::string name;
  std::string sql;
};

/// Whatever isolation the database defaults to: a statement after a lock must see what was committed before
/// it.
extern const PostgresStatement begin_transaction;

/// $1, $2, ... of a statement, in order, in binary.
class PostgresParams {
 public:
  PostgresParams& text(std::string value);
  PostgresParams& bigint(std::int64_t value);
  template <class Meaning>
  PostgresParams& bigint(Id<Meaning> value) {
    return bigint(value.value());
  }
  PostgresParams& time(std::optional<Time> value);
  PostgresParams& texts(std::span<const std::string_view> values);
  PostgresParams& bigints(std::span<const std::int64_t> values);
  PostgresParams& integers(std::span<const std::int32_t> values);
  PostgresParams& times(std::span<const Time> values);

 private:
  friend class PostgresConnection;
  PostgresParams& add(unsigned oid, std::optional<std::string> bytes);

  std::vector<unsigned> oids_;
  std::vector<std::optional<std::string>> values_;
};

struct PostgresCall {
  const PostgresStatement* statement = nullptr;
  PostgresParams params{};
};

/// The rows one statement returned. A row and column asked for must exist and be of that type.
class PostgresRows {
 public:
  explicit PostgresRows(pg_result* result) : result_(result) {}

  std::size_t size() const;
  bool null(std::size_t row, int column) const;
  std::string_view text(std::size_t row, int column) const;
  std::int32_t integer(std::size_t row, int column) const;
  std::int64_t bigint(std::size_t row, int column) const;
  Sequence sequence(std::size_t row, int column) const { return Sequence(bigint(row, column)); }
  Epoch epoch(std::size_t row, int column) const { return Epoch(bigint(row, column)); }
  Revision revision(std::size_t row, int column) const { return Revision(bigint(row, column)); }
  Time time(std::size_t row, int column) const;
  /// Nothing also for `none`, one of postgres_format's infinities.
  std::optional<Time> optional_time(std::size_t row, int column, std::int64_t none) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

/// One connection, used by one thread at a time. Every wait ends at a deadline, or at that of
/// PostgresOptions::stop: a connection that missed it, or whose peer is gone, is not usable() any more.
class PostgresConnection {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  /// Takes at most connect_timeout_s per host and address, besides the look-up of names, and a call's time.
  /// An earlier `deadline` can be kept only with PostgresOptions::stop.
  static PostgresResult<std::unique_ptr<PostgresConnection>> open(const PostgresOptions& options,
                                                                  Deadline deadline = Deadline::max());
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  /// Runs the calls one after the other in a single round trip; after a failure the rest is skipped.
  /// Returns one PostgresRows per call, or the first failure.
  PostgresResult<std::vector<PostgresRows>> run(std::span<const PostgresCall> calls,
                                                Deadline latest = Deadline::max());

  /// The same between BEGIN and COMMIT, in the same round trip. After a failure nothing is committed, except
  /// when the connection was lost while the commit was under way.
  PostgresResult<std::vector<PostgresRows>> transaction(std::vector<PostgresCall> calls);

  /// What ends a transaction that was begun by hand: the limit of a commit, and the commit.
  std::array<PostgresCall, 2> commit_calls() const;

  /// Runs several statements without parameters and returns the rows of the last, as text.
  PostgresResult<PostgresRows> script(const std::string& sql, std::chrono::milliseconds timeout);

  /// Ends an open transaction. Afterwards usable() tells whether the connection can serve another caller.
  void reset();

  /// Whether the connection is up, outside a transaction, and its peer has not hung up.
  bool usable() const;

  int server_version() const;           ///< 150004 for 15.4
  std::string server_encoding() const;  ///< "UTF8"

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  using Handle = std::unique_ptr<pg_conn, Finish>;

  PostgresConnection(Handle connection, const PostgresOptions& options);
  static PostgresResult<Handle> connect(const PostgresOptions& options, Deadline deadline);
  bool send(const PostgresCall& call);
  PostgresResult<PostgresRows> receive(Deadline deadline);
  PostgresResult<PostgresRows> receive_one(Deadline deadline);
  PostgresResult<void> wait(Deadline deadline);
  PostgresFailure lost(std::string message);
  PostgresFailure lost();

  Handle connection_;
  std::chrono::milliseconds commit_timeout_;
  std::chrono::milliseconds call_timeout_;
  std::shared_ptr<StopDeadline> stop_;
  std::set<std::string, std::less<>> prepared_;
  bool broken_ = false;
};

/// `text` without the password of `url`.
std::string without_password(std::string text, const std::string& url);

}  // namespace seonchak
