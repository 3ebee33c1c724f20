#pragma once
#include <functional>
#include <vector>

#include "core/audit/audit.hpp"

namespace seonchak {

/// The breaches of one coupon's events among themselves: each epoch for itself. A repeat of what was logged
/// before is none, and neither is a repeat of what the log has dropped by now, so nothing below the first
/// sequence of an epoch is judged. `events` are in the log's order.
void audit_order(const std::vector<const IssuedEvent*>& events,
                 const std::function<void(Epoch epoch, Breach)>& found);

}  // namespace seonchak
