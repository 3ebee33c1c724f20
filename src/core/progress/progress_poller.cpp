#include "core/progress/progress_poller.hpp"

#include "base/invariant.hpp"
#include "base/ticker.hpp"

namespace seonchak {

void ProgressPoller::step() {
  const auto ids = watermarks_.wanted();
  if (ids.empty()) return ticker().sleep_for(period);
  const auto asked_at = ticker().now();
  const auto progress = outbox_.progress(ids);
  invariant(progress.size() == ids.size(), one_answer_each);
  if (nobody_reached(progress)) return ticker().sleep_for(backoff);

  std::vector<Watermark> published;
  std::vector<Watermark> persisted;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& found = progress[i];
    if (!found || found->epoch == 0) continue;
    watermarks_.rejected(ids[i], found->epoch, found->rejected);
    published.push_back({ids[i], found->published, found->epoch});
    persisted.push_back({ids[i], found->persisted, found->epoch});
  }
  watermarks_.shown(published, asked_at);
  watermarks_.published(published);
  watermarks_.persisted(persisted);
  ticker().sleep_for(period);
}

}  // namespace seonchak
