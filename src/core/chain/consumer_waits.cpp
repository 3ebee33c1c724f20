#include <utility>

#include "base/log.hpp"
#include "base/ticker.hpp"
#include "core/chain/consumer.hpp"

// What the consumer says of what it waits for.
namespace seonchak {

// The same wait is logged once, however often it is tried again.
void Consumer::hold(std::string_view what, const Error& error) {
  retries_.add();
  std::string waits_for = std::string(what) + ": " + error.message;
  if (waits_for != waits_for_)
    log::warn("consumer waits", {{"for", what}, {"code", to_string(error.code)}, {"why", error.message}});
  waits_for_ = std::move(waits_for);
  if (!stuck_since_) stuck_since_ = ticker().now();
  store_and_log_.fail(options_.backoff);
}

// Of what does not hold up everything.
void Consumer::log_wait(const std::string& what, const Error& error) {
  const auto left_out = log_limit_.line(what);
  if (!left_out) return;
  log::warn("records wait", {{"for", what},
                             {"code", to_string(error.code)},
                             {"why", error.message},
                             {"left_out_before", *left_out}});
}

void Consumer::log_left_out() {
  for (const auto& [kind, count] : log_limit_.left_out())
    log::warn("lines were left out", {{"of", kind}, {"count", count}});
}

void Consumer::progressed() {
  store_and_log_.succeed();
}

void Consumer::tell_health() {
  waiting_records_.set(static_cast<std::int64_t>(waiting_.records()));
  const bool stuck = batch_ || to_resume_;
  const bool held = store_and_log_.retry_at() != TimePoint{};
  if (!stuck) stuck_since_.reset();
  if (!stuck && !held) waits_for_.clear();
  auto since = waiting_.since();
  if (!since && batch_) since = batch_->polled_at();
  if (!since && stuck) since = stuck_since_;
  const auto waited = since ? ticker().now() - *since : std::chrono::nanoseconds(0);
  stalled_seconds_.set(std::chrono::duration_cast<std::chrono::seconds>(waited).count());

  std::string why;
  const auto behind = held_back_.longest(log_.held_back());
  if (waited >= options_.stalled_after) {
    why = waits_for_.empty() ? waiting_.why() : waits_for_;
    if (why.empty()) why = position_waits_for_.empty() ? "its turn" : "log position: " + position_waits_for_;
    why = "the oldest batch read waits: " + why;
  } else if (behind && behind->waited >= options_.stalled_after) {
    why = "partition " + std::to_string(behind->partition) +
          " of the log cannot be read on: a transaction that another program began at offset " +
          std::to_string(behind->offset) + " is open";
  }
  // Now and then, too: somebody else may have told that this thread hung.
  const auto time = ticker().now();
  if (why == told_stalled_ && time < tell_again_at_) return;
  told_stalled_ = why;
  tell_again_at_ = time + options_.tell_again;
  if (why.empty()) {
    health_.note("consumer", {});
  } else {
    health_.note("consumer", Error{Errc::unavailable, why});
  }
}

}  // namespace seonchak
