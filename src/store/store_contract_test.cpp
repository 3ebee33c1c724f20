#include "store/testing/store_contract.hpp"

#include <atomic>
#include <map>
#include <thread>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

/// What core/ports/store.hpp promises of coupons, of either store.
class StoreCoupons : public StoreContract {};

TEST_P(StoreCoupons, ACouponComesBackWithEveryField) {
  Coupon full = coupon_named("Full.1_-");
  full.name = "선착순 쿠폰 'quoted' \"twice\" \\ %";
  full.stock = stock_max;
  full.opens_at = from_millis(1'763'780'400'123);
  full.closes_at = from_millis(253'402'300'799'999);
  full.closed = true;
  full.ack = Ack::log;
  full.epoch = Epoch(9'007'199'254'740'993);
  full.settled = full.epoch - 1;
  full.gate = "run/replication";
  const Coupon created = store_->create_coupon(full).value();
  full.revision = created.revision;
  expect_same(created, full);
  expect_same(store_->coupon(full.id).value(), full);

  Coupon bare = coupon_named("bare");
  bare.ack = Ack::store;
  bare.revision = store_->create_coupon(bare).value().revision;
  expect_same(store_->coupon("bare").value(), bare);
  EXPECT_GT(bare.revision, full.revision);
}

TEST_P(StoreCoupons, AnIdIsCreatedOnce) {
  const Coupon first = store_->create_coupon(coupon_named("a")).value();
  Coupon second = coupon_named("a");
  second.name = "another";
  const auto refused = store_->create_coupon(second);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, Errc::already_exists);
  expect_same(store_->coupon("a").value(), first);
}

TEST_P(StoreCoupons, AMissingIdIsTheSmallestNumberAboveEveryNumericId) {
  EXPECT_EQ(store_->create_coupon(coupon_named("")).value().id, "1");
  for (const std::string id : {"7", "0012", "x99", "99x", "-50", "1.5", "1234567890123456789"}) {
    ASSERT_TRUE(store_->create_coupon(coupon_named(id)));
  }
  EXPECT_EQ(store_->create_coupon(coupon_named("")).value().id, "13");
  EXPECT_EQ(store_->create_coupon(coupon_named("")).value().id, "14");
  EXPECT_EQ(store_->coupon("14").value().name, "name of ");
}

TEST_P(StoreCoupons, IdsGivenAtOnceAreAllDifferent) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) EXPECT_TRUE(store_->create_coupon(coupon_named("")));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store_->list_coupons("", coupons_page_max).value().size(), 40U);
  EXPECT_EQ(store_->create_coupon(coupon_named("")).value().id, "41");
}

TEST_P(StoreCoupons, AStockTheTableRefusesIsRejected) {
  Coupon coupon = coupon_named("a");
  coupon.stock = stock_max + 1;
  EXPECT_EQ(store_->create_coupon(coupon).error().code, Errc::rejected);
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  const auto updated = store_->update_coupon("a", [](Coupon& present) -> Result<void> {
    present.stock = 0;
    return {};
  });
  EXPECT_EQ(updated.error().code, Errc::rejected);
  EXPECT_EQ(store_->coupon("a").value().stock, 1'000);
}

TEST_P(StoreCoupons, AnUnknownCouponIsNotFound) {
  EXPECT_EQ(store_->coupon("nowhere").error().code, Errc::not_found);
  bool ran = false;
  const auto updated = store_->update_coupon("nowhere", [&](Coupon&) -> Result<void> {
    ran = true;
    return {};
  });
  EXPECT_EQ(updated.error().code, Errc::not_found);
  EXPECT_FALSE(ran);
}

TEST_P(StoreCoupons, AChangeIsCommittedWithANewRevision) {
  const Coupon created = store_->create_coupon(coupon_named("a")).value();
  ASSERT_TRUE(store_->create_coupon(coupon_named("b")));
  Coupon expected = created;
  expected.name = "changed";
  expected.stock = 5;
  expected.opens_at = from_millis(1);
  expected.closes_at = from_millis(2);
  expected.closed = true;
  expected.ack = Ack::store;
  expected.epoch = 3;
  const Coupon updated = store_
                             ->update_coupon("a",
                                             [&](Coupon& present) -> Result<void> {
                                               expect_same(present, created);
                                               present = expected;
                                               present.id = "b";
                                               present.created_at = from_millis(0);
                                               present.revision = 0;
                                               return {};
                                             })
                             .value();
  EXPECT_GT(updated.revision, store_->coupon("b").value().revision);
  expected.revision = updated.revision;
  expect_same(updated, expected);
  expect_same(store_->coupon("a").value(), expected);
  EXPECT_EQ(store_->coupon("b").value().name, "name of b");
}

TEST_P(StoreCoupons, ARefusedChangeLeavesTheRowAlone) {
  const Coupon created = store_->create_coupon(coupon_named("a")).value();
  const auto refused = store_->update_coupon("a", [](Coupon& present) -> Result<void> {
    present.stock = 1;
    return Error{Errc::stock_below_issued, "no"};
  });
  EXPECT_EQ(refused.error().code, Errc::stock_below_issued);
  EXPECT_EQ(refused.error().message, "no");
  expect_same(store_->coupon("a").value(), created);
}

TEST_P(StoreCoupons, AChangeThatThrowsLeavesTheRowAloneAndUnlocked) {
  const Coupon created = store_->create_coupon(coupon_named("a")).value();
  const auto throwing = [](Coupon& present) -> Result<void> {
    present.stock = 1;
    throw std::logic_error("thrown by the change");
  };
  EXPECT_THROW((void)store_->update_coupon("a", throwing), std::logic_error);
  expect_same(store_->coupon("a").value(), created);
  EXPECT_TRUE(store_->update_coupon("a", [](Coupon&) -> Result<void> { return {}; }));
}

TEST_P(StoreCoupons, SavingDoesNotWaitForAChange) {
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  const auto updated = store_->update_coupon("a", [&](Coupon&) -> Result<void> {
    EXPECT_EQ(store_->save(batch_of({event("a", 1)})).value(), SaveOutcome::saved);
    EXPECT_EQ(store_->holders("a", 0, 10).value().size(), 1U);
    return {};
  });
  EXPECT_TRUE(updated);
}

TEST_P(StoreCoupons, NoChangeIsLostAmongConcurrentOnes) {
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        EXPECT_TRUE(store_->update_coupon("a", [](Coupon& present) -> Result<void> {
          present.stock += 1;
          return {};
        }));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store_->coupon("a").value().stock, 1'040);
}

TEST_P(StoreCoupons, AFollowerOfRevisionsNeverMissesAChange) {
  std::atomic<bool> writing{true};
  std::map<std::string, Revision> followed;
  Revision last = 0;
  const auto follow = [&] {
    for (;;) {
      const auto news = store_->coupons_since(last, 3).value();
      if (news.empty()) return;
      for (const Coupon& coupon : news) {
        EXPECT_GT(coupon.revision, last);
        last = coupon.revision;
        followed[coupon.id] = coupon.revision;
      }
    }
  };
  std::thread follower([&] {
    while (writing) follow();
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&, i] {
      for (int n = 0; n < 15; ++n) {
        const std::string id = std::to_string(i) + "-" + std::to_string(n);
        EXPECT_TRUE(store_->create_coupon(coupon_named(id)));
        EXPECT_TRUE(store_->update_coupon(std::to_string(i) + "-" + std::to_string(n / 2),
                                          [](Coupon& present) -> Result<void> {
                                            present.epoch += 1;
                                            return {};
                                          }));
      }
    });
  }
  for (auto& writer : writers) writer.join();
  writing = false;
  follower.join();
  follow();

  std::map<std::string, Revision> present;
  for (const Coupon& coupon : store_->list_coupons("", coupons_page_max).value()) {
    present[coupon.id] = coupon.revision;
  }
  EXPECT_EQ(present.size(), 45U);
  EXPECT_EQ(followed, present);
}

TEST_P(StoreCoupons, RevisionsAreReadInOrderAndInPages) {
  for (const std::string id : {"c", "a", "b"}) ASSERT_TRUE(store_->create_coupon(coupon_named(id)));
  ASSERT_TRUE(store_->update_coupon("c", [](Coupon&) -> Result<void> { return {}; }));
  const auto first = store_->coupons_since(0, 2).value();
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].id, "a");
  EXPECT_EQ(first[1].id, "b");
  const auto second = store_->coupons_since(first[1].revision, 2).value();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].id, "c");
  EXPECT_TRUE(store_->coupons_since(second[0].revision, 2).value().empty());
}

// So that a store which falls back to what it was does not give out again what it gave out since.
TEST_P(StoreCoupons, RevisionsFollowTheClock) {
  const auto now_as_revision = [] { return Revision(to_millis(now())); };
  const auto earlier = now_as_revision();
  const auto created = store_->create_coupon(coupon_named("a")).value().revision;
  EXPECT_GE(created, earlier);
  EXPECT_LE(created, now_as_revision());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto later = now_as_revision();
  const auto updated = store_->update_coupon("a", [](Coupon&) -> Result<void> { return {}; });
  EXPECT_GE(updated.value().revision, later);
  ASSERT_TRUE(store_->create_coupon(coupon_named("b")));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto last = now_as_revision();
  const std::vector<CouponFence> fences = {{"a", 0, "", 2, "gate"}, {"b", 0, "", 2, "gate"}};
  const auto fenced = store_->fence_coupons(fences).value().changed;
  ASSERT_EQ(fenced.size(), 2U);
  EXPECT_NE(fenced[0].revision, fenced[1].revision);
  for (const Coupon& coupon : fenced) EXPECT_GE(coupon.revision, last);
}

TEST_P(StoreCoupons, ARevisionIsNotBelowTheOneThatAChangeAsksFor) {
  const Revision asked(to_millis(now()) + 1'000'000'000);
  ASSERT_TRUE(store_->create_coupon(coupon_named("a")));
  ASSERT_TRUE(store_->create_coupon(coupon_named("b")));
  const auto updated = store_->update_coupon("a", [&](Coupon& row) -> Result<void> {
    row.revision = asked;
    return {};
  });
  EXPECT_EQ(updated.value().revision, asked);
  const auto next = store_->update_coupon("b", [](Coupon&) -> Result<void> { return {}; });
  EXPECT_EQ(next.value().revision, asked + 1) << "above every revision there is, whatever the clock says";
}

TEST_P(StoreCoupons, TotalsAreThoseOfAllCoupons) {
  EXPECT_EQ(store_->coupon_totals().value(), CouponTotals());
  CouponTotals expected;
  for (const std::string id : {"a", "b", "c"}) ASSERT_TRUE(store_->create_coupon(coupon_named(id)));
  ASSERT_TRUE(store_->update_coupon("a", [](Coupon&) -> Result<void> { return {}; }));
  for (const Coupon& coupon : store_->list_coupons("", 10).value()) {
    ++expected.count;
    expected.revision_max = std::max(expected.revision_max, coupon.revision);
    expected.checksum += revision_checksum(coupon.revision);
  }
  EXPECT_EQ(store_->coupon_totals().value(), expected);
}

TEST_P(StoreCoupons, CouponsAreListedInByteOrderAndInPages) {
  for (const std::string id : {"b", "B", "10", "9", "_", "-", "a.b", "a-b"}) {
    ASSERT_TRUE(store_->create_coupon(coupon_named(id)));
  }
  std::vector<std::string> ids;
  for (std::string after;;) {
    const auto page = store_->list_coupons(after, 3).value();
    if (page.empty()) break;
    EXPECT_LE(page.size(), 3U);
    for (const Coupon& coupon : page) ids.push_back(coupon.id);
    after = ids.back();
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"-", "10", "9", "B", "_", "a-b", "a.b", "b"}));
}

TEST_P(StoreCoupons, AStoreThatAnswersChecksOut) {
  EXPECT_TRUE(store_->check());
}

INSTANTIATE_TEST_SUITE_P(Twins, StoreCoupons, store_twins(), twin_name);

}  // namespace
}  // namespace seonchak
