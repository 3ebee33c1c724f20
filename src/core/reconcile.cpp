#include "core/reconcile.hpp"

namespace seonchak {

namespace {

constexpr std::size_t holders_page = 10'000;

Result<std::int64_t> last_saved_sequence(Store& store, const std::string& coupon_id, std::int64_t after) {
  while (true) {
    const auto page = store.holders(coupon_id, after, holders_page);
    if (!page) return page.error();
    if (page->empty()) return after;
    after = page->back().sequence;
    if (page->size() < holders_page) return after;
  }
}

}  // namespace

Result<std::vector<Mark>> find_unmarked(Store& store, Outbox& outbox, const CatalogSnapshot& catalog) {
  std::vector<std::string> ids;
  for (const auto& [id, coupon] : catalog.coupons()) {
    if (coupon->epoch > 0) ids.push_back(id);
  }
  const auto progress = outbox.progress(ids);
  if (!progress) return progress.error();

  std::vector<Mark> marks;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Outbox::Progress& known = (*progress)[i];
    if (known.published <= known.persisted) continue;
    const auto saved = last_saved_sequence(store, ids[i], known.persisted);
    if (!saved) return saved.error();
    if (*saved > known.persisted) marks.push_back({ids[i], *saved});
  }
  return marks;
}

}  // namespace seonchak
