#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace load {

std::size_t Histogram::bucket_of(std::uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - sub_bits - 1);
  return (static_cast<std::size_t>(shift) << sub_bits) + (value >> shift);
}

std::int64_t Histogram::top_of(std::size_t bucket) {
  // Values below 2^(sub_bits + 1) have a bucket each.
  const std::size_t half = std::size_t{1} << sub_bits;
  const std::size_t shift = bucket < 2 * half ? 0 : (bucket >> sub_bits) - 1;
  const std::size_t mantissa = bucket - (shift << sub_bits);
  return static_cast<std::int64_t>(((mantissa + 1) << shift) - 1);
}

void Histogram::record(std::int64_t value_ns) {
  constexpr std::int64_t limit = (std::int64_t{1} << value_bits) - 1;
  const std::int64_t value = std::clamp<std::int64_t>(value_ns, 0, limit);
  ++buckets_[bucket_of(static_cast<std::uint64_t>(value))];
  ++count_;
  max_ = std::max(max_, value_ns);
}

std::int64_t Histogram::at(double quantile) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (buckets_[bucket] != 0 && seen >= wanted) return std::min(top_of(bucket), max_);
  }
  return max_;
}

}  // namespace load
