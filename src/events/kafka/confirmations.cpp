#include "events/kafka/confirmations.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"

namespace seonchak::kafka {

Confirmations::Confirmations(std::size_t events_max) : slots_(events_max) {
  invariant(events_max < none, "every event in flight has a ticket of its own");
  release_all();
}

void Confirmations::release_all() {
  free_ = none;
  for (std::size_t i = slots_.size(); i > 0; --i) {
    slots_[i - 1] = Slot{.next = free_};
    free_ = static_cast<Ticket>(i - 1);
  }
  in_flight_ = 0;
}

Confirmations::Coupons::value_type& Confirmations::coupon(const std::string& coupon_id) {
  const auto known = coupons_.find(coupon_id);
  if (known != coupons_.end()) return *known;
  if (coupons_.size() >= prune_at_) {
    std::erase_if(coupons_,
                  [](const auto& entry) { return entry.second.first == none && !entry.second.changed; });
    prune_at_ = std::max(idle_coupons_max, 2 * coupons_.size());
  }
  return *coupons_.emplace(coupon_id, Coupon{}).first;
}

void Confirmations::add(const std::string& coupon_id, Sequence sequence, Epoch epoch) {
  invariant(!full(), "nobody adds to a full queue");
  auto& entry = coupon(coupon_id);
  const Ticket ticket = free_;
  free_ = slots_[ticket].next;
  slots_[ticket] = {&entry, sequence, epoch, none, false};
  ++in_flight_;

  Coupon& queue = entry.second;
  if (queue.first == none) {
    queue.first = ticket;
  } else {
    slots_[queue.last].next = ticket;
  }
  queue.last = ticket;
}

void Confirmations::delivered(Ticket ticket) {
  invariant(ticket < slots_.size() && slots_[ticket].coupon, "what is delivered was in flight");
  slots_[ticket].delivered = true;
  auto& entry = *slots_[ticket].coupon;
  Coupon& queue = entry.second;
  while (queue.first != none && slots_[queue.first].delivered) {
    const Ticket done = queue.first;
    queue.first = slots_[done].next;
    queue.confirmed = slots_[done].sequence;
    queue.epoch = slots_[done].epoch;
    if (!std::exchange(queue.changed, true)) changed_.push_back(&entry);
    slots_[done] = Slot{.next = free_};
    free_ = done;
    --in_flight_;
  }
}

std::vector<Watermark> Confirmations::take() {
  std::vector<Watermark> watermarks;
  watermarks.reserve(changed_.size());
  for (auto* entry : std::exchange(changed_, {})) {
    entry->second.changed = false;
    watermarks.push_back({entry->first, entry->second.confirmed, entry->second.epoch});
  }
  return watermarks;
}

void Confirmations::clear() {
  changed_.clear();
  coupons_.clear();
  release_all();
}

}  // namespace seonchak::kafka
