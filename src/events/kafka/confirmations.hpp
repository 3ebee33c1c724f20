#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ports/gate.hpp"

namespace seonchak::kafka {

/// Which events are on their way, and up to which sequence of each coupon all have arrived. Delivery reports
/// may come in any order; a sequence counts only when everything queued before it for its coupon has been
/// delivered. Allocates per coupon, not per event. Used from one thread.
///
/// A partition may have as many events on their way as there is room left: one whose broker is away fills
/// half, two of them two thirds, and there is always room for the others.
class Confirmations {
 public:
  using Ticket = std::uint32_t;

  explicit Confirmations(std::size_t events_max);

  bool full() const { return free_ == none; }

  /// Whether the next event of this coupon may be added.
  bool has_room_for(const std::string& coupon_id);

  /// So many partitions the topic has now. One, until it is known: with one all room is for it.
  void spread(int partitions);

  std::size_t in_flight() const { return in_flight_; }

  /// The ticket that the next add() will use. Not when full.
  Ticket next() const { return free_; }

  /// Puts the event behind those of its coupon. Not when full.
  void add(const std::string& coupon_id, Sequence sequence, Epoch epoch);

  void delivered(Ticket ticket);

  /// The coupons that got further since the last call, each with its last sequence that is confirmed.
  std::vector<Watermark> take();

  /// Forgets everything on its way, and all tickets.
  void clear();

 private:
  static constexpr Ticket none = std::numeric_limits<Ticket>::max();
  static constexpr std::size_t idle_coupons_max = 1'024;

  struct Coupon {
    Ticket first = none;
    Ticket last = none;
    std::size_t in_flight = 0;
    std::int32_t partition = 0;
    Sequence confirmed = 0;
    Epoch epoch = 0;       // of `confirmed`
    bool changed = false;  // in changed_
  };
  using Coupons = std::unordered_map<std::string, Coupon>;
  struct Slot {
    Coupons::value_type* coupon = nullptr;
    Sequence sequence = 0;
    Epoch epoch = 0;
    Ticket next = none;  // of the same coupon, or of the free list
    bool delivered = false;
  };

  Coupons::value_type& coupon(const std::string& coupon_id);
  void release_all();

  std::vector<Slot> slots_;
  Coupons coupons_;  // its elements stay where they are
  std::vector<Coupons::value_type*> changed_;
  Ticket free_ = none;
  std::size_t in_flight_ = 0;
  std::vector<std::size_t> of_partition_{0};  // in flight
  std::size_t prune_at_ = idle_coupons_max;
};

}  // namespace seonchak::kafka
