#include "store/postgres/connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <thread>
#include <utility>

#include <libpq-fe.h>
#include <poll.h>

namespace seonchak {

const PostgresStatement begin_transaction = {"begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"};

namespace {

const PostgresStatement commit_transaction = {"commit", "COMMIT"};

/// Of what follows in this transaction; $1 is like "700ms".
const PostgresStatement limit_statements = {"limit_statements",
                                            "SELECT set_config('statement_timeout', $1, true)"};

constexpr int binary_format = 1;

/// Keepalive probes after half of the peer timeout, so that an idle wait notices a dead server too.
constexpr int keepalives_count = 3;

std::string trimmed(const char* text) {
  std::string out = text == nullptr ? "" : text;
  std::ranges::replace(out, '\n', ' ');
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string field(const PGresult* result, int code) {
  return trimmed(PQresultErrorField(result, code));
}

PostgresFailure failure_of(const PGresult* result) {
  PostgresFailure failure{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_CONSTRAINT_NAME),
                          field(result, PG_DIAG_MESSAGE_PRIMARY)};
  if (failure.message.empty()) failure.message = trimmed(PQresultErrorMessage(result));
  const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  if (!detail.empty()) failure.message += ": " + detail;
  return failure;
}

bool succeeded(const PGresult* result) {
  const auto status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/// Settings ahead of the URI are defaults that it may override.
PGconn* connect_blocking(const PostgresOptions& options) {
  const std::string connect_timeout = std::to_string(options.connect_timeout_s);
  const std::string peer_timeout = std::to_string(options.peer_timeout_ms);
  const std::string idle = std::to_string(std::max(1, options.peer_timeout_ms / 2'000));
  const std::string interval =
      std::to_string(std::max(1, options.peer_timeout_ms / 2'000 / keepalives_count));
  const std::string count = std::to_string(keepalives_count);
  const std::array keys = {"application_name", "connect_timeout",     "tcp_user_timeout",
                           "keepalives_idle",  "keepalives_interval", "keepalives_count",
                           "dbname",           "client_encoding",     static_cast<const char*>(nullptr)};
  const std::array values = {"seonchak",
                             connect_timeout.c_str(),
                             peer_timeout.c_str(),
                             idle.c_str(),
                             interval.c_str(),
                             count.c_str(),
                             options.url.c_str(),
                             "UTF8",
                             static_cast<const char*>(nullptr)};
  static constexpr int expand_uri = 1;
  return PQconnectdbParams(keys.data(), values.data(), expand_uri);
}

/// A session that does not wait for the disk would lose rows whose log offsets the gate has already
/// forgotten.
std::string session_setup(const PostgresOptions& options) {
  return "SET statement_timeout = " + std::to_string(options.statement_timeout_ms) +
         ";SET lock_timeout = " + std::to_string(options.lock_timeout_ms) +
         ";SET idle_in_transaction_session_timeout = " +
         std::to_string(options.idle_in_transaction_timeout_ms) +
         ";SELECT set_config('synchronous_commit', 'on', false)"
         " WHERE current_setting('synchronous_commit') = 'off'";
}

}  // namespace

Error to_error(const PostgresFailure& failure) {
  const std::string_view state_class = std::string_view(failure.sqlstate).substr(0, 2);
  const bool data = state_class == "22" || state_class == "23";
  std::string message = "postgresql";
  for (const std::string& part : {failure.sqlstate, failure.constraint}) {
    if (!part.empty()) message += " " + part;
  }
  return {data ? Errc::rejected : Errc::unavailable, message + ": " + failure.message};
}

Error save_error(const PostgresFailure& failure) {
  // Connection, transaction state, session, authorization, database, serialization, resources, operator,
  // system. A statement's time-out may be of one coupon's rows: a trigger that waits.
  static constexpr std::array<std::string_view, 9> for_everybody = {"",   "08", "25", "26", "28",
                                                                    "3D", "40", "53", "58"};
  static constexpr std::string_view operator_class = "57";
  static constexpr std::string_view canceled_state = "57014";
  Error error = to_error(failure);
  const std::string_view state_class = std::string_view(failure.sqlstate).substr(0, 2);
  const bool of_operator = state_class == operator_class && failure.sqlstate != canceled_state;
  if (error.code == Errc::unavailable && !of_operator &&
      std::ranges::find(for_everybody, state_class) == for_everybody.end())
    error.code = Errc::not_now;
  return error;
}

Error change_error(const PostgresFailure& failure) {
  // Who waits for the lock of revisions, or longer than a statement may take, waits for somebody else.
  static constexpr std::string_view lock_class = "55";
  static constexpr std::string_view canceled_state = "57014";
  const bool waited = failure.sqlstate.starts_with(lock_class) || failure.sqlstate == canceled_state;
  return waited ? to_error(failure) : save_error(failure);
}

std::string without_password(std::string text, const std::string& url) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree);
  // libpq quotes a URI that it cannot read: say nothing rather than search it for the secret.
  if (!parsed) return "the URL cannot be read as postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) != "password" || option->val == nullptr) continue;
    const std::string_view secret = option->val;
    if (secret.empty()) continue;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

void PostgresConnection::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

PostgresConnection::PostgresConnection(Handle connection, const PostgresOptions& options)
    : connection_(std::move(connection)),
      commit_timeout_(options.commit_timeout_ms),
      call_timeout_(std::max(std::chrono::milliseconds(options.statement_timeout_ms), commit_timeout_) +
                    std::chrono::milliseconds(options.call_grace_ms)),
      stop_(options.stop) {}

PostgresConnection::~PostgresConnection() = default;

// Only libpq itself tries each host and address for its own time, and it blocks, in the resolver even without
// a limit. So it has a thread that can be left to itself.
PostgresResult<PostgresConnection::Handle> PostgresConnection::connect(const PostgresOptions& options,
                                                                       Deadline deadline) {
  if (!options.stop) return Handle(connect_blocking(options));
  if (!options.stop->begin_loose()) {
    return PostgresFailure{"", "",
                           "too many attempts to connect have not ended: does its host's name resolve?"};
  }
  auto promise = std::make_shared<std::promise<Handle>>();
  auto made = promise->get_future();
  std::thread([options, promise = std::move(promise)]() mutable {
    promise->set_value(Handle(connect_blocking(options)));
    promise.reset();  // and with it the connection, if nobody waits for it any more
    options.stop->end_loose();
  }).detach();
  while (std::chrono::steady_clock::now() < deadline && !options.stop->passed()) {
    if (made.wait_for(StopDeadline::look_period) == std::future_status::ready) return made.get();
  }
  return PostgresFailure{"", "", "no connection in time"};
}

PostgresResult<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresOptions& options,
                                                                             Deadline deadline) {
  auto connected = connect(options, deadline);
  if (!connected) return connected.error();
  std::unique_ptr<PostgresConnection> made(new PostgresConnection(std::move(*connected), options));
  PGconn* const connection = made->connection_.get();
  if (PQstatus(connection) != CONNECTION_OK) {
    return PostgresFailure{"", "", without_password(trimmed(PQerrorMessage(connection)), options.url)};
  }
  if (PQsetnonblocking(connection, 1) != 0) return made->lost();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  auto ready = made->script(session_setup(options), std::min(made->call_timeout_, left));
  if (!ready) return ready.error();
  return made;
}

bool PostgresConnection::send(const PostgresCall& call) {
  const auto& [statement, params] = call;
  const int count = static_cast<int>(params.values_.size());
  if (!prepared_.contains(statement->name) &&
      PQsendPrepare(connection_.get(), statement->name.c_str(), statement->sql.c_str(), count,
                    params.oids_.data()) == 0) {
    return false;
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& value : params.values_) {
    values.push_back(value ? value->data() : nullptr);
    lengths.push_back(value ? static_cast<int>(value->size()) : 0);
  }
  const std::vector<int> formats(params.values_.size(), binary_format);
  return PQsendQueryPrepared(connection_.get(), statement->name.c_str(), count, values.data(), lengths.data(),
                             formats.data(), binary_format) != 0;
}

PostgresResult<std::vector<PostgresRows>> PostgresConnection::run(std::span<const PostgresCall> calls,
                                                                  Deadline latest) {
  const auto deadline = std::min(latest, std::chrono::steady_clock::now() + call_timeout_);
  PGconn* const connection = connection_.get();
  for (const PostgresCall& call : calls) {
    if (!send(call)) return lost();
  }
  if (PQpipelineSync(connection) == 0) return lost();

  std::vector<PostgresRows> rows;
  std::optional<PostgresFailure> failure;
  for (const PostgresCall& call : calls) {
    if (!prepared_.contains(call.statement->name)) {
      auto prepared = receive(deadline);
      if (broken_) return failure ? *failure : prepared.error();
      if (prepared) prepared_.insert(call.statement->name);
      if (!prepared && !failure) failure = prepared.error();
    }
    auto result = receive(deadline);
    if (broken_) return failure ? *failure : result.error();
    if (result) rows.push_back(std::move(*result));
    if (!result && !failure) failure = result.error();
  }
  if (auto synced = receive_one(deadline); !synced) return failure ? *failure : synced.error();
  if (failure) return *failure;
  return rows;
}

std::array<PostgresCall, 2> PostgresConnection::commit_calls() const {
  PostgresParams limit;
  limit.text(std::to_string(commit_timeout_.count()) + "ms");
  return {PostgresCall{&limit_statements, std::move(limit)}, PostgresCall{&commit_transaction}};
}

PostgresResult<std::vector<PostgresRows>> PostgresConnection::transaction(std::vector<PostgresCall> calls) {
  calls.insert(calls.begin(), PostgresCall{&begin_transaction});
  for (PostgresCall& call : commit_calls()) calls.push_back(std::move(call));
  auto rows = run(calls);
  if (!rows) {
    reset();
    return rows;
  }
  rows->erase(rows->begin());
  rows->erase(rows->end() - 2, rows->end());
  return rows;
}

PostgresResult<PostgresRows> PostgresConnection::script(const std::string& sql,
                                                        std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  PGconn* const connection = connection_.get();
  PQexitPipelineMode(connection);
  if (PQsendQuery(connection, sql.c_str()) == 0) return lost();
  PostgresRows last(nullptr);
  std::optional<PostgresFailure> failure;
  for (;;) {
    if (auto ready = wait(deadline); !ready) return ready.error();
    PGresult* const result = PQgetResult(connection);
    if (result == nullptr) break;
    last = PostgresRows(result);
    if (!succeeded(result) && !failure) failure = failure_of(result);
  }
  if (PQstatus(connection) != CONNECTION_OK || PQenterPipelineMode(connection) == 0) {
    auto gone = lost();
    return failure ? *failure : gone;
  }
  if (failure) return *failure;
  return last;
}

/// The result of one sent command, which libpq ends with a null.
PostgresResult<PostgresRows> PostgresConnection::receive(Deadline deadline) {
  auto result = receive_one(deadline);
  if (broken_) return result;
  if (auto ready = wait(deadline); !ready) return ready.error();
  PGresult* const end = PQgetResult(connection_.get());
  if (end == nullptr) return result;
  PQclear(end);
  return lost("the server sent one result too many");
}

PostgresResult<PostgresRows> PostgresConnection::receive_one(Deadline deadline) {
  if (auto ready = wait(deadline); !ready) return ready.error();
  PGresult* const raw = PQgetResult(connection_.get());
  if (raw == nullptr) return lost();
  PostgresRows rows(raw);
  if (succeeded(raw) || PQresultStatus(raw) == PGRES_PIPELINE_SYNC) return rows;
  PostgresFailure failure = failure_of(raw);
  if (PQstatus(connection_.get()) != CONNECTION_OK) broken_ = true;
  return failure;
}

/// Sends what is unsent and returns once a result can be taken without blocking.
PostgresResult<void> PostgresConnection::wait(Deadline deadline) {
  PGconn* const connection = connection_.get();
  for (;;) {
    const int unsent = PQflush(connection);
    if (unsent < 0) return lost();
    if (PQisBusy(connection) == 0) return {};
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return lost("the server did not answer in time");
    if (stop_ && stop_->passed()) return lost("given up: the process is stopping");
    if (stop_) left = std::min(left, StopDeadline::look_period);
    pollfd socket{PQsocket(connection), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0};
    if (poll(&socket, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) return lost("poll failed");
    if ((socket.revents & (POLLIN | POLLERR | POLLHUP)) != 0 && PQconsumeInput(connection) == 0)
      return lost();
  }
}

PostgresFailure PostgresConnection::lost() {
  return lost(trimmed(PQerrorMessage(connection_.get())));
}

PostgresFailure PostgresConnection::lost(std::string message) {
  broken_ = true;
  return {"", "", message.empty() ? "connection lost" : std::move(message)};
}

void PostgresConnection::reset() {
  static const PostgresStatement rollback_statement = {"rollback", "ROLLBACK"};
  if (broken_ || PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) return;
  const PostgresCall rollback{&rollback_statement};
  if (!run({&rollback, 1})) broken_ = true;
}

bool PostgresConnection::usable() const {
  PGconn* const connection = connection_.get();
  if (broken_ || PQstatus(connection) != CONNECTION_OK || PQtransactionStatus(connection) != PQTRANS_IDLE)
    return false;
  // An idle server has nothing to say but good-bye.
  pollfd socket{PQsocket(connection), POLLIN, 0};
  return poll(&socket, 1, 0) == 0;
}

int PostgresConnection::server_version() const {
  return PQserverVersion(connection_.get());
}

std::string PostgresConnection::server_encoding() const {
  return trimmed(PQparameterStatus(connection_.get(), "server_encoding"));
}

}  // namespace seonchak
