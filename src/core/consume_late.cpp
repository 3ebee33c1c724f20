#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "core/consume.hpp"

namespace seonchak {

using std::chrono::milliseconds;

// Nothing when it was told to stop while the gate could not say.
std::optional<Consumer::Kept> Consumer::admit(std::span<const LogRecord* const> kept) {
  milliseconds backoff = options_.backoff_min;
  while (true) {
    Kept admitted;
    std::unordered_map<std::string_view, Kept> late;
    for (const LogRecord* record : kept) {
      const auto& event = std::get<IssuedEvent>(record->message);
      const auto coupon = catalog_.find(event.coupon_id);
      const bool is_late = coupon && event.epoch != 0 && event.epoch < coupon->epoch;
      (is_late ? late[event.coupon_id] : admitted).push_back(record);
    }
    Result<bool> settled = true;
    for (const auto& [coupon_id, records] : late) {
      settled = admit_late(*catalog_.find(coupon_id), records, admitted);
      if (!settled || !*settled) break;
    }
    if (settled && !*settled) return std::nullopt;
    if (settled) {
      if (late.empty()) return admitted;
      // In the log's order again, which the bisection goes by.
      std::ranges::sort(admitted, {},
                        [](const LogRecord* record) { return std::pair(record->partition, record->offset); });
      return admitted;
    }
    if (!pause(backoff, "gate", settled.error())) return std::nullopt;
    (void)catalog_.catalog().refresh();
  }
}

Result<bool> Consumer::admit_late(const Coupon& coupon, std::span<const LogRecord* const> late,
                                  Kept& admitted) {
  std::vector<std::string> users;
  for (const LogRecord* record : late) users.push_back(std::get<IssuedEvent>(record->message).user_id);
  const auto holders = gate_.holders_of(coupon, users);
  if (!holders) return holders.error();
  for (std::size_t i = 0; i < late.size(); ++i) {
    const auto& event = std::get<IssuedEvent>(late[i]->message);
    const auto& holder = (*holders)[i];
    if (holder && holder->sequence == event.sequence) {
      admitted.push_back(late[i]);
    } else if (!holder) {
      const auto settled = claim_again(coupon, *late[i]);
      if (!settled || !*settled) return settled;
    }
  }
  late_.add(late.size());
  return true;
}

// Issued, it comes back through the outbox with its new sequence.
Result<bool> Consumer::claim_again(const Coupon& coupon, const LogRecord& record) {
  const auto& event = std::get<IssuedEvent>(record.message);
  const auto reply = gate_.claim_now({coupon.id, coupon.epoch, 0, {event.user_id}, coupon.gate});
  if (!reply) return reply.error();
  const Decision decision = reply->claims.front().decision;
  if (decision == Decision::issued || decision == Decision::already_issued) return true;
  log::error("an issued coupon was lost with the gate, and cannot be issued again",
             {{"coupon", coupon.id},
              {"user", event.user_id},
              {"sequence", event.sequence},
              {"decision", to_string(decision)}});
  return dead_letter(record, "superseded: " + std::string(to_string(decision)));
}

}  // namespace seonchak
