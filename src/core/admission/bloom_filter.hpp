#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace seonchak {

/// A compact set of user ids that may err on one side: whoever is in it is found, and of those who are not
/// about one in five hundred is found too. 2 bytes a user. A split block Bloom filter: Putze, Sanders and
/// Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007, with the blocks of Apache Parquet.
///
/// Safe from any thread once nobody adds to it any more.
class BloomFilter {
 public:
  /// Has room for `users`; with more it errs more often.
  explicit BloomFilter(std::size_t users);

  void add(std::string_view user_id);
  bool may_contain(std::string_view user_id) const;
  /// What bytes() will be with room for `users`.
  static std::size_t bytes_for(std::size_t users);
  std::size_t bytes() const { return blocks_.size() * sizeof(Block); }

 private:
  static constexpr std::size_t words = 8;
  using Block = std::array<std::uint32_t, words>;  // one cache line has two

  std::size_t index_of(std::uint64_t hash) const;

  std::vector<Block> blocks_;
};

}  // namespace seonchak
