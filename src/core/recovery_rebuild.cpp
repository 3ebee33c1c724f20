#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "base/log.hpp"
#include "core/rebuild.hpp"
#include "core/recovery.hpp"

namespace seonchak {

namespace {

constexpr std::size_t rows_page = 10'000;
constexpr std::size_t entries_page = 64;
constexpr std::chrono::milliseconds no_wait{0};

void append(std::vector<Holder>& holders, const std::vector<Holder>& more, std::int64_t above) {
  std::ranges::copy_if(more, std::back_inserter(holders),
                       [above](const Holder& holder) { return holder.sequence > above; });
}

}  // namespace

// False when a witness was late: once more.
Result<bool> Recovery::recover(Job& job, const std::vector<Holder>& logged) {
  const std::string& id = job.coupon.id;
  // In a prefix of what was trusted, everything up to its sequence is as it was.
  const std::int64_t intact = job.prefix ? job.remains.sequence : 0;
  KnownHolders known;
  known.last_sequence = job.remains.sequence;
  const auto rows = put_rows(job, intact, known.taken);
  if (!rows) return rows.error();

  std::vector<Holder> said;
  append(said, logged, intact);
  std::int64_t holders = *rows;
  if (job.prefix) {
    auto waiting = outbox_of(job);
    if (!waiting) return waiting.error();
    known.waiting = std::move(*waiting);
    holders += job.remains.holders;
  } else {
    const auto survivors = ports_.gate.survivors(id, job.remains.persisted);
    if (!survivors) return survivors.error();
    append(said, *survivors, 0);
  }
  const auto witnesses = ports_.gate.witnesses(id);
  if (!witnesses) return witnesses.error();
  append(said, *witnesses, intact);
  auto candidates = without_rows(id, std::move(said));
  if (!candidates) return candidates.error();
  known.candidates = std::move(*candidates);
  known.room = job.coupon.stock - holders;

  const Rebuilt rebuilt = rebuild(std::move(known));
  std::vector<std::string> dropped;
  for (const Holder& holder : rebuilt.dropped) dropped.push_back(holder.user_id);
  if (auto done = ports_.gate.drop_holders(id, job.token, dropped); !done) return done.error();
  if (auto done = write(job, rebuilt.pending); !done) return done.error();
  const auto opened = ports_.gate.open(committed_for_gate(job.coupon), job.token, rebuilt.sequence,
                                       rebuilt.persisted, witnesses->size());
  if (opened && !*opened) job.remains.holders += rebuilt.added;
  if (!opened || !*opened) return opened;

  recovered_.add();
  holders_added_.add(rebuilt.pending.size());
  holders_lost_.add(rebuilt.dropped.size());
  for (const Holder& holder : rebuilt.dropped) {
    log::error("an issued coupon was lost with the gate, and the stock has gone to others meanwhile",
               {{"coupon", id}, {"user", holder.user_id}, {"sequence", holder.sequence}});
  }
  log::info("coupon recovered", {{"coupon", id},
                                 {"epoch", job.coupon.epoch},
                                 {"sequence", rebuilt.sequence},
                                 {"in_store", *rows},
                                 {"waiting", rebuilt.pending.size()},
                                 {"lost", rebuilt.dropped.size()}});
  return true;
}

// What the surviving outbox holds: certain, and perhaps not in the store.
Result<std::vector<Holder>> Recovery::outbox_of(const Job& job) {
  std::vector<Holder> holders;
  Mark after{job.coupon.id, job.remains.persisted, job.remains.epoch};
  while (true) {
    const auto entries = ports_.outbox.read({&after, 1}, entries_page, no_wait);
    if (!entries) return entries.error();
    for (const OutboxEntry& entry : *entries) {
      for (std::size_t i = 0; i < entry.users.size(); ++i) {
        const std::int64_t sequence = entry.first_sequence + static_cast<std::int64_t>(i);
        if (sequence > job.remains.persisted) holders.push_back({entry.users[i], sequence, entry.issued_at});
      }
      after.sequence = entry.last_sequence();
    }
    if (entries->size() < entries_page) return holders;
  }
}

// Makes the store's rows above `after` holders; returns how many there are.
Result<std::int64_t> Recovery::put_rows(const Job& job, std::int64_t after,
                                        std::vector<std::int64_t>& sequences) {
  while (true) {
    const auto page = ports_.store.holders(job.coupon.id, after, rows_page);
    if (!page) return page.error();
    if (auto put = ports_.gate.put_holders(job.coupon.id, job.token, *page); !put) return put.error();
    for (const Holder& holder : *page) sequences.push_back(holder.sequence);
    if (page->size() < rows_page) return static_cast<std::int64_t>(sequences.size());
    after = page->back().sequence;
  }
}

Result<std::vector<Holder>> Recovery::without_rows(const std::string& coupon_id,
                                                   std::vector<Holder> holders) {
  std::unordered_set<std::string> saved;
  for (std::size_t first = 0; first < holders.size(); first += rows_page) {
    std::vector<std::string> users;
    for (std::size_t i = first; i < std::min(holders.size(), first + rows_page); ++i) {
      users.push_back(holders[i].user_id);
    }
    const auto rows = ports_.store.holders_among(coupon_id, users);
    if (!rows) return rows.error();
    for (const Holder& row : *rows) saved.insert(row.user_id);
  }
  std::erase_if(holders, [&](const Holder& holder) { return saved.contains(holder.user_id); });
  return holders;
}

Result<void> Recovery::write(const Job& job, const std::vector<Holder>& pending) {
  if (auto put = ports_.gate.put_holders(job.coupon.id, job.token, pending); !put) return put;
  const auto entries = entries_of(job.coupon.id, job.coupon.epoch, pending, claim_users_max);
  std::size_t first = 0;
  do {
    const auto part = std::span(entries).subspan(first, std::min(entries_page, entries.size() - first));
    if (auto put = ports_.gate.put_outbox(job.coupon.id, job.token, part, first == 0); !put) return put;
    first += entries_page;
  } while (first < entries.size());
  return {};
}

}  // namespace seonchak
