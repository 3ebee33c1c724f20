#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "store/testing/store_contract.hpp"

namespace seonchak {
namespace {

/// What core/ports/store.hpp promises of leases, of either store.
class StoreLeases : public StoreContract {
 protected:
  LeaseRow row() { return store_->read_lease("name").value(); }
  std::optional<std::int64_t> take(const LeaseRow& seen, const std::string& holder) {
    return store_->take_lease("name", seen, holder).value();
  }
};

INSTANTIATE_TEST_SUITE_P(Twins, StoreLeases, store_twins(), twin_name);

TEST_P(StoreLeases, IsTakenAsItWasSeenAndNotOtherwise) {
  const LeaseRow nobody = row();
  EXPECT_EQ(nobody, LeaseRow{});
  const auto first = take(nobody, "one");
  ASSERT_TRUE(first);
  EXPECT_EQ(row(), (LeaseRow{*first, 0, "one"}));
  EXPECT_FALSE(take(nobody, "two"));
  const LeaseRow seen = row();
  ASSERT_TRUE(store_->beat_lease("name", *first).value());
  EXPECT_FALSE(take(seen, "two")) << "it has shown life since";
  const auto second = take(row(), "two");
  ASSERT_TRUE(second);
  EXPECT_GT(*second, *first);
  EXPECT_EQ(row().holder, "two");
  EXPECT_EQ(store_->read_lease("another").value(), LeaseRow{});
}

TEST_P(StoreLeases, WhoLostItCanNeitherBeatNorRelease) {
  const auto first = take(row(), "one");
  const auto second = take(row(), "two");
  ASSERT_TRUE(first && second);
  const LeaseRow before = row();
  EXPECT_FALSE(store_->beat_lease("name", *first).value());
  ASSERT_TRUE(store_->release_lease("name", *first));
  EXPECT_EQ(row(), before);
  EXPECT_TRUE(store_->beat_lease("name", *second).value());
  EXPECT_GT(row().beat, before.beat);
  EXPECT_FALSE(store_->beat_lease("another", 1).value());
}

TEST_P(StoreLeases, AReleasedOneIsNobodysUntilTaken) {
  const auto first = take(row(), "one");
  const LeaseRow held = row();
  ASSERT_TRUE(store_->release_lease("name", *first));
  const LeaseRow free = row();
  EXPECT_EQ(free.token, *first);
  EXPECT_NE(free.beat, held.beat) << "who saw it held must look again";
  EXPECT_EQ(free.holder, "");
  EXPECT_FALSE(store_->beat_lease("name", *first).value());
  ASSERT_TRUE(store_->release_lease("name", *first));
  EXPECT_EQ(row(), free);
  EXPECT_GT(take(free, "two").value_or(0), *first);
}

TEST_P(StoreLeases, OfManyWhoSawTheSameOneTakesIt) {
  for (int round = 0; round < 10; ++round) {
    const LeaseRow seen = row();
    std::atomic<int> taken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const auto token = store_->take_lease("name", seen, std::to_string(i));
        ASSERT_TRUE(token) << token.error().message;
        if (*token) ++taken;
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(taken, 1);
  }
}

}  // namespace
}  // namespace seonchak
