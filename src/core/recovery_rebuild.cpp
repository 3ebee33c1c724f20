#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "base/log.hpp"
#include "core/recovery.hpp"

namespace seonchak {

namespace {

constexpr std::size_t rows_page = 10'000;
constexpr std::size_t saved_page = 1'000;
constexpr std::size_t entries_page = 64;
constexpr std::chrono::milliseconds no_wait{0};

}  // namespace

void Recovery::lost(const std::string& coupon_id, const Holder& holder) {
  holders_lost_.add();
  log::error("an issued coupon was lost with the gate, and the stock has gone to others meanwhile",
             {{"coupon", coupon_id}, {"user", holder.user_id}, {"sequence", holder.sequence}});
}

// False when there is more testimony now: once more. The order matters: the union is settled in the store
// before the gate is touched, so that a coordinator that dies leaves either everything as it was or a store
// that has it all.
Result<bool> Recovery::recover(const Job& job, std::vector<KnownClaim> claims) {
  const std::string& id = job.coupon.id;
  // In a prefix of what was trusted, everything up to its sequence is as it was.
  const std::int64_t intact = job.prefix ? job.remains.sequence : 0;
  auto rows = sequences_of_rows(id, intact);
  if (!rows) return rows.error();
  KnownHolders known;
  known.taken = std::move(*rows);
  known.intact = intact;
  known.last_sequence = job.remains.sequence;
  std::int64_t holders = static_cast<std::int64_t>(known.taken.size());
  auto waiting = outbox_of(job);
  if (!waiting) return waiting.error();
  if (job.prefix) {
    if (waiting->empty() && job.remains.has_pending())
      return Error{Errc::gate_behind, "the outbox has been lost since the coupon was shut"};
    for (KnownClaim& claim : *waiting) known.waiting.push_back(std::move(claim.holder));
    holders += job.remains.holders;
  } else {
    std::ranges::move(*waiting, std::back_inserter(claims));
    const auto survivors = ports_.gate.survivors(id, job.remains.persisted);
    if (!survivors) return survivors.error();
    for (const Holder& holder : *survivors) claims.push_back({holder, job.remains.epoch});
  }
  // What was just read counts only if it is the state that was shut: an empty write asks for the token.
  if (auto ours = ports_.gate.put_holders(id, job.token, {}, false); !ours) return ours.error();
  const auto testimony = ports_.store.testimony(id);
  if (!testimony) return testimony.error();
  auto saved_earlier = rows_of(id, *testimony);
  if (!saved_earlier) return saved_earlier.error();
  std::ranges::copy_if(*saved_earlier, std::back_inserter(known.waiting),
                       [&](const Holder& row) { return row.sequence > intact; });
  std::ranges::copy(*testimony, std::back_inserter(claims));
  std::erase_if(claims, [&](const KnownClaim& claim) {
    return claim.epoch == job.coupon.settled && claim.holder.sequence <= intact;
  });
  auto unsaved = without_rows(id, std::move(claims));
  if (!unsaved) return unsaved.error();
  known.candidates = by_credibility(std::move(*unsaved), job.coupon.settled);
  known.room = job.coupon.stock - holders;
  const Rebuilt rebuilt = rebuild(std::move(known));

  if (auto noted = note_pending(job, rebuilt.pending, *testimony); !noted || !*noted) return noted;
  if (auto saved = save(job, rebuilt.pending); !saved) return saved.error();
  auto settled = settle(job, testimony->size());
  if (!settled || !*settled) return settled;
  if (auto written = write(job, rebuilt, intact); !written) return written.error();
  unheard_[id] = {id, rebuilt.pending.empty() ? 0 : rebuilt.pending.back().sequence, job.coupon.epoch};

  recovered_.add();
  holders_added_.add(rebuilt.pending.size());
  for (const Holder& holder : rebuilt.dropped) lost(id, holder);
  log::info("coupon recovered", {{"coupon", id},
                                 {"epoch", job.coupon.epoch},
                                 {"sequence", rebuilt.sequence},
                                 {"given_back", rebuilt.pending.size()},
                                 {"lost", rebuilt.dropped.size()}});
  return true;
}

Result<std::vector<std::int64_t>> Recovery::sequences_of_rows(const std::string& coupon_id,
                                                              std::int64_t after) {
  std::vector<std::int64_t> sequences;
  while (true) {
    const auto page = ports_.store.holders(coupon_id, after, rows_page);
    if (!page) return page.error();
    for (const Holder& holder : *page) sequences.push_back(holder.sequence);
    if (page->size() < rows_page) return sequences;
    after = page->back().sequence;
  }
}

// What the surviving outbox holds: perhaps not in the store, and in a prefix of what was trusted certain.
Result<std::vector<KnownClaim>> Recovery::outbox_of(const Job& job) {
  std::vector<KnownClaim> claims;
  Mark after{job.coupon.id, job.remains.persisted, job.remains.epoch};
  while (true) {
    const auto read = ports_.outbox.read({&after, 1}, entries_page, no_wait);
    if (!read) return read.error();
    if (!read->failed.empty()) return read->failed.front().error;
    for (const OutboxEntry& entry : read->entries) {
      for (std::size_t i = 0; i < entry.users.size(); ++i) {
        const std::int64_t sequence = entry.first_sequence + static_cast<std::int64_t>(i);
        if (sequence > job.remains.persisted)
          claims.push_back({{entry.users[i], sequence, entry.issued_at}, entry.epoch});
      }
      after.sequence = entry.last_sequence();
    }
    if (read->entries.size() < entries_page) return claims;
  }
}

// What is saved by a recovery has a row before the log has its event. Should the gate be lost again in
// between, the next recovery finds it in the testimony, and lets the log hear of it. False when anything was
// written.
Result<bool> Recovery::note_pending(const Job& job, const std::vector<Holder>& pending,
                                    const std::vector<KnownClaim>& testimony) {
  std::unordered_set<std::string_view> known;
  for (const KnownClaim& claim : testimony) known.insert(claim.holder.user_id);
  std::vector<KnownClaim> unknown;
  for (const Holder& holder : pending) {
    if (!known.contains(holder.user_id)) unknown.push_back({holder, job.coupon.epoch});
  }
  if (unknown.empty()) return true;
  const auto written = ports_.store.testify(job.coupon.id, job.coupon.epoch, unknown);
  if (!written) return written.error();
  if (!*written) return Error{Errc::gate_epoch, "another recovery has begun"};
  return false;
}

Result<std::vector<Holder>> Recovery::rows_of(const std::string& coupon_id,
                                              const std::vector<KnownClaim>& claims) {
  std::vector<Holder> found;
  for (std::size_t first = 0; first < claims.size(); first += rows_page) {
    std::vector<std::string> users;
    for (std::size_t i = first; i < std::min(claims.size(), first + rows_page); ++i) {
      users.push_back(claims[i].holder.user_id);
    }
    auto rows = ports_.store.holders_among(coupon_id, users);
    if (!rows) return rows.error();
    std::ranges::move(*rows, std::back_inserter(found));
  }
  return found;
}

Result<std::vector<KnownClaim>> Recovery::without_rows(const std::string& coupon_id,
                                                       std::vector<KnownClaim> claims) {
  const auto rows = rows_of(coupon_id, claims);
  if (!rows) return rows.error();
  std::unordered_set<std::string_view> saved;
  for (const Holder& row : *rows) saved.insert(row.user_id);
  std::erase_if(claims, [&](const KnownClaim& claim) { return saved.contains(claim.holder.user_id); });
  return claims;
}

Result<void> Recovery::save(const Job& job, const std::vector<Holder>& pending) {
  for (std::size_t first = 0; first < pending.size(); first += saved_page) {
    SaveBatch batch{ports_.log.group(), ports_.log.topic(), {}, {}, {{job.coupon.id, job.coupon.epoch}}};
    for (std::size_t i = first; i < std::min(pending.size(), first + saved_page); ++i) {
      const Holder& holder = pending[i];
      batch.events.push_back(
          {job.coupon.id, holder.user_id, holder.sequence, holder.issued_at, job.coupon.epoch});
    }
    const auto saved = ports_.store.save(batch);
    if (!saved) return saved.error();
    if (*saved != SaveOutcome::saved) return Error{Errc::gate_epoch, "another recovery has begun"};
  }
  return {};
}

// The epoch counts from here on, unless somebody has testified since `heard` was read.
Result<bool> Recovery::settle(const Job& job, std::size_t heard) {
  bool late = false;
  const auto settled = ports_.store.update_coupon(job.coupon.id, [&](Coupon& row) -> Result<void> {
    if (row.epoch != job.coupon.epoch) return Error{Errc::gate_epoch, "another recovery has begun"};
    const auto testimony = ports_.store.testimony(job.coupon.id);
    if (!testimony) return testimony.error();
    late = testimony->size() > heard;
    if (late) return Error{Errc::unavailable, "a witness was late"};
    row.settled = row.epoch;
    return {};
  });
  if (late) return false;
  if (!settled) return settled.error();
  return true;
}

Result<void> Recovery::write(const Job& job, const Rebuilt& rebuilt, std::int64_t intact) {
  const std::string& id = job.coupon.id;
  bool first = !job.prefix;
  std::int64_t after = intact;
  while (true) {
    const auto page = ports_.store.holders(id, after, rows_page);
    if (!page) return page.error();
    if (auto put = ports_.gate.put_holders(id, job.token, *page, first); !put) return put;
    first = false;
    if (page->size() < rows_page) break;
    after = page->back().sequence;
  }
  const auto entries = entries_of(id, job.coupon.epoch, rebuilt.pending, claim_users_max);
  std::size_t begin = 0;
  do {
    const auto part = std::span(entries).subspan(begin, std::min(entries_page, entries.size() - begin));
    if (auto put = ports_.gate.put_outbox(id, job.token, part, begin == 0); !put) return put;
    begin += entries_page;
  } while (begin < entries.size());
  const std::int64_t pending = rebuilt.pending.empty() ? rebuilt.sequence : rebuilt.pending.back().sequence;
  return ports_.gate.open(committed_for_gate(job.coupon), job.token,
                          {rebuilt.sequence, rebuilt.persisted, pending});
}

}  // namespace seonchak
