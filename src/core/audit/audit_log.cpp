#include "core/audit/audit_log.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace seonchak {

namespace {

using Event = const IssuedEvent*;
using Events = std::vector<Event>;

Breach breach_of(BreachKind kind, const IssuedEvent& event, std::string detail) {
  return {kind, event.coupon_id, event.sequence, event.user_id, std::move(detail)};
}

/// Each sequence that came in order, ascending.
class Order {
 public:
  bool in_order(Event event) {
    if (firsts_.empty() || event->sequence > firsts_.back()->sequence) {
      firsts_.push_back(event);
      return true;
    }
    if (event->sequence < firsts_.front()->sequence) return true;
    const auto same =
        std::ranges::lower_bound(firsts_, event->sequence, {}, [](Event first) { return first->sequence; });
    return (*same)->sequence == event->sequence;
  }

  Sequence last() const { return firsts_.back()->sequence; }

 private:
  Events firsts_;
};

/// Of events that agree in `key`, those that differ in `value` from the first of them, each once.
template <class Key, class Value, class Found>
void find_clashes(Events events, Key key, Value value, Found found) {
  std::ranges::stable_sort(
      events, [&](Event a, Event b) { return std::tie(key(*a), value(*a)) < std::tie(key(*b), value(*b)); });
  Event first = nullptr;
  Event last = nullptr;
  for (Event event : events) {
    if (first == nullptr || key(*first) != key(*event)) {
      first = event;
    } else if (value(*last) != value(*event)) {
      found(*first, *event);
    }
    last = event;
  }
}

}  // namespace

void audit_order(const Events& events, const std::function<void(Epoch epoch, Breach)>& found) {
  std::map<Epoch, Events> epochs;
  for (Event event : events) epochs[event->epoch].push_back(event);
  const auto user = [](const IssuedEvent& event) -> const std::string& { return event.user_id; };
  const auto sequence = [](const IssuedEvent& event) -> const Sequence& { return event.sequence; };
  for (const auto& [epoch, logged] : epochs) {
    const std::string in_epoch = " in epoch " + to_string(epoch);
    Order order;
    for (Event event : logged) {
      if (order.in_order(event)) continue;
      found(epoch, breach_of(BreachKind::event_out_of_order, *event,
                             "the log had " + to_string(order.last()) + " before it" + in_epoch));
    }
    find_clashes(logged, user, sequence, [&](const IssuedEvent& first, const IssuedEvent& other) {
      found(epoch, breach_of(BreachKind::event_user_twice, other,
                             "also sequence " + to_string(first.sequence) + in_epoch));
    });
    find_clashes(logged, sequence, user, [&](const IssuedEvent& first, const IssuedEvent& other) {
      found(epoch,
            breach_of(BreachKind::event_sequence_twice, other, "also user " + first.user_id + in_epoch));
    });
  }
}

}  // namespace seonchak
