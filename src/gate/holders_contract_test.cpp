#include <map>

#include "gate/testing/gate_contract.hpp"

namespace seonchak {
namespace {

using testing::batch_of;
using testing::make_config;
using testing::unique_id;

class HoldersContract : public testing::GateContractTest {};

INSTANTIATE_TEST_SUITE_P(Twins, HoldersContract, ::testing::Values("memory", "redis"),
                         [](const auto& info) { return info.param; });

TEST_P(HoldersContract, TheHoldersComePageByPage) {
  constexpr std::size_t count = 5'000;
  const GateConfig coupon = installed(make_config(count));
  std::map<std::string, Sequence> expected;
  while (expected.size() < count) {
    std::vector<std::string> users;
    for (std::size_t i = 0; i < claim_users_max && expected.size() + i < count; ++i)
      users.push_back("user" + std::to_string(expected.size() + i));
    const auto reply = twin_->claim(batch_of(coupon, users));
    ASSERT_TRUE(reply) << reply.error().message;
    for (std::size_t i = 0; i < users.size(); ++i) expected[users[i]] = reply->claims[i].sequence;
  }
  std::map<std::string, Sequence> found;
  std::size_t pages = 0;
  std::string cursor;
  do {
    const auto page = control().holders_page(coupon.id, cursor);
    ASSERT_TRUE(page) << page.error().message;
    for (const Holder& holder : page->holders) found[holder.user_id] = holder.sequence;
    cursor = page->next;
    ++pages;
  } while (!cursor.empty());
  EXPECT_EQ(found, expected);
  EXPECT_GT(pages, 1U) << "so that others are served in between";
}

TEST_P(HoldersContract, NobodyHoldsACouponWithoutState) {
  const auto page = control().holders_page(unique_id("none"), "");
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->holders.empty());
  EXPECT_TRUE(page->next.empty());
}

}  // namespace
}  // namespace seonchak
