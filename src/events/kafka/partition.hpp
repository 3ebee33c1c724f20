#pragma once
#include <cstdint>
#include <string>

namespace seonchak::kafka {

/// In which of so many partitions our publisher writes the events of a coupon.
std::int32_t partition_of(const std::string& coupon_id, int partitions);

}  // namespace seonchak::kafka
