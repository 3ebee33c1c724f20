#pragma once

#include <array>
#include <cstdint>

namespace load {

// Counts of latencies in nanoseconds, in buckets no wider than 1/64 of what they hold, up to 68 s.
class Histogram {
 public:
  void record(std::int64_t value_ns);

  // The largest value of the bucket in which the fraction `quantile` (0 to 1) is reached; 0 when nothing was
  // recorded.
  std::int64_t at(double quantile) const;

  std::int64_t max() const { return max_; }
  std::uint64_t count() const { return count_; }

 private:
  static constexpr int sub_bits = 6;
  static constexpr int value_bits = 36;

  static std::size_t bucket_of(std::uint64_t value);
  static std::int64_t top_of(std::size_t bucket);

  std::array<std::uint64_t, (value_bits - sub_bits + 1) << sub_bits> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace load
