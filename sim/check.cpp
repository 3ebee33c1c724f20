#include <algorithm>
#include <iterator>
#include <set>

#include "sim/schedule.hpp"

namespace seonchak::sim {

namespace {

constexpr std::size_t everything = 100'000;

std::string describe(const Ledger::Promise& promise) {
  return "coupon " + promise.coupon_id + " user " + promise.user_id + " sequence " +
         to_string(promise.sequence) + " of epoch " + to_string(promise.epoch);
}

}  // namespace

void Schedule::check_rows(const std::string& id, std::vector<std::string>& wrong) {
  const auto rows = environment_.store.holders(id, 0, everything).value();
  if (static_cast<std::int64_t>(rows.size()) > environment_.plan.stock)
    wrong.push_back("coupon " + id + ": " + std::to_string(rows.size()) + " rows, more than the stock");
  MemoryGate& gate = *environment_.gates.back();
  for (const Holder& row : rows) {
    if (!environment_.ledger.was_asked(id, row.user_id))
      wrong.push_back("coupon " + id + ": nobody asked for the row of " + row.user_id);
    const auto held = gate.holdings(row.user_id, {&id, 1}).front().value();
    if (!held || held->sequence != row.sequence)
      wrong.push_back("coupon " + id + ": gate and row of " + row.user_id + " differ");
  }
}

// Repeats aside: per coupon and epoch the sequences ascend, and in the first epoch none is missing.
void Schedule::check_log(std::vector<std::string>& wrong) {
  // A log that began anew repeats what is saved already, wherever each relay stood.
  if (!environment_.plan.log_is_durable) return;
  std::map<std::pair<std::string, Epoch>, Sequence> last;
  std::set<std::tuple<std::string, std::string, Sequence>> logged;
  std::set<std::tuple<std::string, Epoch, Sequence>> seen;
  for (const LogRecord& record : environment_.log.records()) {
    const auto& event = std::get<IssuedEvent>(record.message);
    if (!environment_.ledger.was_asked(event.coupon_id, event.user_id))
      wrong.push_back("nobody asked for the event of " + event.user_id);
    logged.emplace(event.coupon_id, event.user_id, event.sequence);
    if (!seen.emplace(event.coupon_id, event.epoch, event.sequence).second) continue;
    Sequence& before = last[{event.coupon_id, event.epoch}];
    const bool gap = event.epoch == 1 && event.sequence != before + 1;
    if (event.sequence < before || gap) {
      wrong.push_back("log of coupon " + event.coupon_id + " epoch " + to_string(event.epoch) + ": " +
                      to_string(event.sequence) + " comes after " + to_string(before));
    }
    before = event.sequence;
  }
  for (const std::string& id : coupons_) {
    for (const Holder& row : environment_.store.holders(id, 0, everything).value()) {
      if (!logged.contains({id, row.user_id, row.sequence}))
        wrong.push_back("coupon " + id + ": the log has no event of the row of " + row.user_id);
    }
  }
}

void Schedule::check(std::vector<std::string>& wrong) {
  for (const std::string& id : coupons_) {
    check_rows(id, wrong);
    environment_.totals.recoveries +=
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, environment_.ledger.settled(id).value() - 1));
  }
  check_log(wrong);
  std::ranges::copy(environment_.ledger.overtaken_writes(), std::back_inserter(wrong));
  for (const auto& promise : environment_.ledger.promises()) {
    const auto rows = environment_.store.holders_among(promise.coupon_id, {&promise.user_id, 1}).value();
    const bool kept = !rows.empty() && rows.front().sequence == promise.sequence;
    if (kept) continue;
    if (promise.excused) {
      ++environment_.totals.within_limit;
      continue;
    }
    wrong.push_back("promised and not kept: " + describe(promise) +
                    (rows.empty() ? ", no row" : ", row " + to_string(rows.front().sequence)));
  }
}

}  // namespace seonchak::sim
