#include "core/admission/bloom_filter.hpp"

#include <functional>

namespace seonchak {

namespace {

constexpr std::size_t users_per_block = 16;  // of 256 bits
constexpr int bit_shift = 27;                // leaves 5 bits: a place in a word

/// Odd numbers that share no pattern: one bit of each word of a block.
constexpr std::array<std::uint32_t, 8> multipliers = {0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f,
                                                      0x165667b1, 0xd3a2646d, 0xfd7046c5, 0xb55a4f09};

/// std::hash need not spread its entropy over all bits.
std::uint64_t hash_of(std::string_view user_id) {
  std::uint64_t hash = std::hash<std::string_view>{}(user_id);
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 29);
}

std::uint32_t bit_of(std::uint64_t hash, std::size_t word) {
  return 1U << ((static_cast<std::uint32_t>(hash) * multipliers[word]) >> bit_shift);
}

}  // namespace

BloomFilter::BloomFilter(std::size_t users) : blocks_(users / users_per_block + 1) {}

std::size_t BloomFilter::bytes_for(std::size_t users) {
  return (users / users_per_block + 1) * sizeof(Block);
}

std::size_t BloomFilter::index_of(std::uint64_t hash) const {
  return static_cast<std::size_t>(((hash >> 32) * blocks_.size()) >> 32);
}

void BloomFilter::add(std::string_view user_id) {
  const std::uint64_t hash = hash_of(user_id);
  Block& block = blocks_[index_of(hash)];
  for (std::size_t word = 0; word < words; ++word) block[word] |= bit_of(hash, word);
}

bool BloomFilter::may_contain(std::string_view user_id) const {
  const std::uint64_t hash = hash_of(user_id);
  const Block& block = blocks_[index_of(hash)];
  std::uint32_t missing = 0;
  for (std::size_t word = 0; word < words; ++word) missing |= ~block[word] & bit_of(hash, word);
  return missing == 0;
}

}  // namespace seonchak
