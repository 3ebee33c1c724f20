#include "core/admission/bloom_filter.hpp"

#include <string>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

std::string user(std::size_t i) {
  return "user-" + std::to_string(i);
}

double share_found(const BloomFilter& filter, std::size_t first, std::size_t count) {
  std::size_t found = 0;
  for (std::size_t i = first; i < first + count; ++i) found += filter.may_contain(user(i)) ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(count);
}

TEST(BloomFilter, FindsEveryoneInItAndHardlyAnyoneElse) {
  for (const std::size_t users : {1, 15, 16, 1'000, 200'000}) {
    BloomFilter filter(users);
    for (std::size_t i = 0; i < users; ++i) filter.add(user(i));
    EXPECT_EQ(share_found(filter, 0, users), 1.0) << users;
    EXPECT_LT(share_found(filter, users, 100'000), 0.005) << users;
  }
}

TEST(BloomFilter, IsEmptyAtFirst) {
  EXPECT_EQ(share_found(BloomFilter(0), 0, 1'000), 0.0);
}

TEST(BloomFilter, TakesTwoBytesAUser) {
  EXPECT_LE(BloomFilter(5'000'000).bytes(), 10'000'032U);
}

// Whoever chooses user ids that look alike does not make it err more.
TEST(BloomFilter, DoesNotMindSequentialNumbers) {
  BloomFilter filter(100'000);
  for (std::size_t i = 0; i < 100'000; ++i) filter.add(std::to_string(2 * i));
  std::size_t found = 0;
  for (std::size_t i = 0; i < 100'000; ++i) found += filter.may_contain(std::to_string(2 * i + 1)) ? 1 : 0;
  EXPECT_LT(found, 500U);
}

}  // namespace
}  // namespace seonchak
