#include "core/reconcile.hpp"

#include <algorithm>

namespace seonchak {

namespace {

/// Per coupon and call; the next call goes on.
constexpr std::size_t entries_max = 16;
constexpr std::chrono::milliseconds no_wait{0};

/// How many entries from the front have all their users in the store.
Result<std::size_t> saved_entries(Store& store, std::span<const OutboxEntry> entries) {
  std::vector<std::string> users;
  for (const OutboxEntry& entry : entries) std::ranges::copy(entry.users, std::back_inserter(users));
  const auto rows = store.holders_among(entries.front().coupon_id, users);
  if (!rows) return rows.error();
  std::vector<std::string_view> saved;
  for (const Holder& row : *rows) saved.push_back(row.user_id);
  std::ranges::sort(saved);
  const auto all_saved = [&](const OutboxEntry& entry) {
    return std::ranges::all_of(
        entry.users, [&](const std::string& user) { return std::ranges::binary_search(saved, user); });
  };
  return static_cast<std::size_t>(std::ranges::find_if_not(entries, all_saved) - entries.begin());
}

}  // namespace

Result<std::vector<Mark>> find_unmarked(Store& store, Outbox& outbox, const CatalogSnapshot& catalog) {
  const std::vector<std::string> ids = catalog.open_ids();
  const auto progress = outbox.progress(ids);
  if (!progress) return progress.error();

  std::vector<Mark> marks;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Outbox::Progress& known = (*progress)[i];
    if (known.epoch == 0 || known.published <= known.persisted) continue;
    const Mark after{ids[i], known.persisted, known.epoch};
    const auto entries = outbox.read({&after, 1}, entries_max, no_wait);
    if (!entries) return entries.error();
    // An entry that is not published yet may be in the store from before a recovery; it is published all the
    // same.
    const auto end = std::ranges::find_if(
        *entries, [&](const OutboxEntry& entry) { return entry.last_sequence() > known.published; });
    const std::span<const OutboxEntry> published(entries->begin(), end);
    if (published.empty()) continue;
    const auto saved = saved_entries(store, published);
    if (!saved) return saved.error();
    if (*saved > 0) marks.push_back({ids[i], published[*saved - 1].last_sequence(), known.epoch});
  }
  return marks;
}

}  // namespace seonchak
