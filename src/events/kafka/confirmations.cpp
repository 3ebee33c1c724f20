#include "events/kafka/confirmations.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"
#include "events/kafka/partition.hpp"

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
  const auto partition = partition_of(coupon_id, static_cast<int>(of_partition_.size()));
  return *coupons_.emplace(coupon_id, Coupon{.partition = partition}).first;
}

bool Confirmations::has_room_for(const std::string& coupon_id) {
  if (full()) return false;
  if (of_partition_.size() == 1) return true;
  const auto partition = static_cast<std::size_t>(coupon(coupon_id).second.partition);
  return of_partition_[partition] < slots_.size() - in_flight_;
}

void Confirmations::spread(int partitions) {
  const auto count = static_cast<std::size_t>(partitions);
  if (count == of_partition_.size()) return;
  of_partition_.assign(count, 0);
  for (auto& [coupon_id, queue] : coupons_) {
    queue.partition = partition_of(coupon_id, partitions);
    of_partition_[static_cast<std::size_t>(queue.partition)] += queue.in_flight;
  }
}

void Confirmations::add(const std::string& coupon_id, Sequence sequence, Epoch epoch) {
  invariant(!full(), "nobody adds to a full queue");
  auto& entry = coupon(coupon_id);
  const Ticket ticket = free_;
  free_ = slots_[ticket].next;
  slots_[ticket] = {&entry, sequence, epoch, none, false};
  ++in_flight_;

  Coupon& queue = entry.second;
  ++queue.in_flight;
  ++of_partition_[static_cast<std::size_t>(queue.partition)];
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
    --queue.in_flight;
    --of_partition_[static_cast<std::size_t>(queue.partition)];
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
  std::ranges::fill(of_partition_, 0);
  release_all();
}

}  // namespace seonchak::kafka
