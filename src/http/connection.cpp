#include "http/connection.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/beast/http/error.hpp>

#include "base/log.hpp"
#include "base/ticker.hpp"

namespace seonchak {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr std::size_t read_bytes = 2 * 1024;  // asked of the socket at once
constexpr std::size_t output_bytes_max =
    64 * 1024;  // answers gathered before they are written, and memory kept
constexpr std::chrono::milliseconds linger_timeout{1'000};
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

Answer run_handler(Answer (*handler)(const Call&), const Call& call) {
  try {
    return handler(call);
  } catch (const std::exception& failure) {
    log::error("handler failed", {{"path", call.request.path()}, {"why", failure.what()}});
    return to_answer({ProblemCode::internal, "The server failed to answer."});
  }
}

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

Connection::Connection(Worker& worker, Socket socket)
    : worker_(worker),
      state_(worker.state()),
      socket_(std::move(socket)),
      call_{request_, {}, state_.services} {
  worker_.adopt(*this);
  state_.metrics.connections().add(1);
}

Connection::~Connection() {
  state_.metrics.connections().add(-1);
  state_.connections.fetch_sub(1);
}

Awaitable Connection::serve(std::unique_ptr<Connection> connection) {
  try {
    co_await connection->run();
  } catch (const std::exception& failure) {
    log::error("connection failed", {{"why", failure.what()}});
  }
}

Awaitable Connection::run() {
  boost::system::error_code error;
  Token wait;
  while (true) {
    const Parsed parsed = closing_ ? Parsed::refused : parse();
    if (parsed == Parsed::complete) {
      enter(Phase::answering);
      dispatch();
      if (!answered_) {
        write_now();
        co_await asio::async_initiate<Token, void()>(
            [this](Suspended waiting) { suspended_.emplace(std::move(waiting)); }, wait);
      }
      parser_.reset();
      if (!closing_ && !out_.expires() && in_.size() > 0 && out_.size() < output_bytes_max) continue;
    }
    if (!write_now()) {
      enter(Phase::writing);
      do {
        co_await socket_.async_wait(Socket::wait_write, asio::redirect_error(Token(), error));
        if (error) co_return;
      } while (!write_now());
    }
    if (closing_) break;
    if (parsed == Parsed::complete && in_.size() > 0) continue;
    if (worker_.draining() && !request_begun()) break;

    wait_for_more();
    const std::size_t read =
        co_await socket_.async_read_some(in_.prepare(read_bytes), asio::redirect_error(Token(), error));
    if (timed_out_) {
      refuse({ProblemCode::request_timeout, "The whole request must arrive in time."},
             Rejection::request_timeout);
      continue;
    }
    if (error) co_return;
    in_.commit(read);
  }
  co_await linger();
}

/// Closing with unread input makes the kernel reset the connection, and the client may lose the answer.
Awaitable Connection::linger() {
  boost::system::error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  enter(Phase::lingering);
  while (!error) {
    in_.clear();
    co_await socket_.async_read_some(in_.prepare(read_bytes), asio::redirect_error(Token(), error));
  }
}

Connection::Parsed Connection::parse() {
  if (!parser_) {
    request_.clear();
    parser_.emplace(request_);
    parser_->header_limit(static_cast<std::uint32_t>(state_.options.header_bytes_max));
    parser_->body_limit(state_.options.body_bytes_max);
    header_bytes_ = 0;
  }
  if (in_.size() == 0) return Parsed::incomplete;
  return parser_->is_header_done() ? parse_body() : parse_header();
}

Connection::Parsed Connection::parse_header() {
  boost::system::error_code error;
  const std::size_t used = parser_->put(in_.data(), error);
  in_.consume(used);
  header_bytes_ += used;
  const bool incomplete = error == http::error::need_more;
  if (header_bytes_ + (incomplete ? in_.size() : 0) > state_.options.header_bytes_max) {
    error = http::error::header_limit;
  } else if (incomplete) {
    return Parsed::incomplete;
  }
  if (error) return refuse_malformed(error);

  if (request_.transfer_encoding) {
    return refuse({ProblemCode::not_implemented, "Send a Content-Length; no Transfer-Encoding is taken."},
                  Rejection::malformed);
  }
  if (request_.hosts > 1 || (request_.hosts == 0 && request_.version > 10)) {
    return refuse({ProblemCode::bad_request, "Send exactly one Host header."}, Rejection::malformed);
  }
  if (parser_->is_done()) return Parsed::complete;
  if (in_.size() > 0) return parse_body();
  if (request_.expects_continue) out_.bytes() += continue_line;
  return Parsed::incomplete;
}

Connection::Parsed Connection::parse_body() {
  boost::system::error_code error;
  in_.consume(parser_->put(in_.data(), error));
  if (error && error != http::error::need_more) return refuse_malformed(error);
  return parser_->is_done() ? Parsed::complete : Parsed::incomplete;
}

Connection::Parsed Connection::refuse_malformed(const boost::system::error_code& error) {
  if (error == http::error::header_limit) {
    return refuse({ProblemCode::headers_too_large,
                   "The header may have " + std::to_string(state_.options.header_bytes_max) + " bytes."},
                  Rejection::headers_too_large);
  }
  if (error == http::error::body_limit) {
    return refuse({ProblemCode::body_too_large,
                   "The body may have " + std::to_string(state_.options.body_bytes_max) + " bytes."},
                  Rejection::body_too_large);
  }
  return refuse({ProblemCode::bad_request, "This is not a valid HTTP/1.1 request: " + error.message() + "."},
                Rejection::malformed);
}

/// After a request that was not read to its end, nobody knows where the next one starts: answer and close.
Connection::Parsed Connection::refuse(const Problem& problem, Rejection why) {
  state_.metrics.count_rejection(why);
  append_response(out_.bytes(), to_answer(problem), {.keep_alive = false}, worker_.date());
  closing_ = true;
  return Parsed::refused;
}

void Connection::dispatch() {
  framing_ = {request_.version, parser_->keep_alive(), request_.method == http::verb::head};
  answered_ = false;
  Router::Found found = state_.router.find(request_, path_scratch_);
  route_class_ = found.route_class;
  call_.id = found.id;
  if (found.problem) return reply(to_answer(*found.problem));
  if (found.route->access == Access::administrators) {
    if (auto refusal = state_.auth.refuse(request_)) return reply(to_answer(*refusal));
  }
  handle(*found.route);
}

void Connection::handle(const Route& route) {
  std::visit(Overloaded{[this](AnswersAtOnce at_once) { reply(run_handler(at_once.handler, call_)); },
                        [this](Blocks blocks) { answer_in_pool(blocks); },
                        [this](AnswersLater later) { later.handler(*this); }},
             route.handler);
}

/// The coroutine stands still meanwhile, so the request may be read from the pool's thread.
void Connection::answer_in_pool(const Blocks& call) {
  if (call.pool == Pool::changes) return change_in_pool(call);
  BlockingPool& pool = call.pool == Pool::readers ? state_.readers : state_.operators;
  const bool taken = pool.try_run([this, handler = call.handler] {
    asio::post(worker_.context(), [this, answer = run_handler(handler, call_)] { reply(answer); });
  });
  if (!taken) reply(to_answer(problem_of(Error{Errc::overloaded, {}})));
}

void Connection::change_in_pool(const Blocks& call) {
  const std::string coupon(call_.id);
  if (!state_.under_way.begin(coupon)) {
    return reply(to_answer({ProblemCode::unavailable,
                            "change_under_way: another change of this coupon has not come to its end"}));
  }
  const bool taken = state_.changes.try_run([this, coupon, handler = call.handler] {
    Answer answer = run_handler(handler, call_);
    state_.under_way.end(coupon);
    asio::post(worker_.context(), [this, answer = std::move(answer)] { reply(answer); });
  });
  if (taken) return;
  state_.under_way.end(coupon);
  reply(to_answer(problem_of(Error{Errc::overloaded, {}})));
}

void Connection::reply(const Answer& answer) {
  if (worker_.draining()) framing_.keep_alive = false;
  if (!framing_.keep_alive) closing_ = true;
  state_.metrics.count_request(route_class_, answer.status);
  if (answer.valid_until != SteadyTime::max()) out_.begin_expiring(answer.valid_until);
  append_response(out_.bytes(), answer, framing_, worker_.date());
  answered_ = true;
  if (!suspended_) return;
  Suspended resume = std::move(*suspended_);
  suspended_.reset();
  resume();
}

/// Tries without waiting, which nearly always suffices. False when the client is slow to read.
bool Connection::write_now() {
  if (out_.empty()) return true;
  // Nothing comes between this and the call that gives it to the kernel.
  if (out_.expires() && out_.is_late(ticker().now())) withdraw_late();
  boost::system::error_code error;
  const std::size_t written = socket_.write_some(asio::buffer(out_.bytes()), error);
  if (error && error != asio::error::would_block) {
    out_.clear();
    closing_ = true;
    return true;
  }
  out_.sent(written);
  if (!out_.empty()) return false;
  if (out_.bytes().capacity() > output_bytes_max) out_.bytes().shrink_to_fit();
  return true;
}

/// Half an answer can't be taken back: then the connection ends in the middle of it.
void Connection::withdraw_late() {
  state_.metrics.count_late();
  if (out_.take_back()) {
    append_response(out_.bytes(), late_answer(), framing_, worker_.date());
  } else {
    closing_ = true;
  }
}

void Connection::enter(Phase phase) {
  phase_ = phase;
  switch (phase) {
    case Phase::idle:
      deadline_ = worker_.deadline(state_.options.idle_timeout);
      break;
    case Phase::reading:
      deadline_ = worker_.deadline(state_.options.request_timeout);
      break;
    case Phase::answering:
      deadline_ = SteadyTime::max();
      break;
    case Phase::writing:
      deadline_ = worker_.deadline(state_.options.write_timeout);
      break;
    case Phase::lingering:
      deadline_ = worker_.deadline(linger_timeout);
      break;
  }
}

bool Connection::request_begun() const {
  return in_.size() > 0 || (parser_ && parser_->got_some());
}

/// A request's time runs from its first byte, however many reads it takes.
void Connection::wait_for_more() {
  if (!request_begun()) return enter(Phase::idle);
  if (phase_ != Phase::reading) enter(Phase::reading);
}

void Connection::sweep(SteadyTime time) {
  if (deadline_ > time) return;
  deadline_ = SteadyTime::max();
  if (phase_ == Phase::reading) {
    boost::system::error_code error;
    timed_out_ = true;
    socket_.cancel(error);
    return;
  }
  if (phase_ == Phase::writing) state_.metrics.count_rejection(Rejection::slow_reader);
  close();
}

void Connection::drain() {
  if (phase_ == Phase::idle) close();
}

void Connection::close() {
  boost::system::error_code error;
  socket_.close(error);
}

}  // namespace seonchak
