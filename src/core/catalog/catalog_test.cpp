#include "core/catalog/catalog.hpp"

#include <atomic>
#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "base/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

Coupon row(const std::string& id, std::int64_t stock = 5) {
  Coupon coupon;
  coupon.id = id;
  coupon.name = "row";
  coupon.stock = stock;
  coupon.created_at = now();
  return coupon;
}

// Nothing that the gate does, or does not do, delays what a process knows of the coupons.
TEST(Catalog, IsUpToDateWhileTheGateHangs) {
  World world;
  world.create("good", 5);
  std::promise<void> called;
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::once_flag first;
  world.faults.on_call = [&](const std::string& name) {
    if (name != "states") return;
    std::call_once(first, [&] { called.set_value(); });
    released.wait();
  };
  ASSERT_TRUE(world.sqlite->create_coupon(row("new")));
  ASSERT_TRUE(world.catalog.refresh());
  std::thread propagating([&] { world.propagate(); });
  called.get_future().wait();

  ASSERT_TRUE(world.sqlite->update_coupon("good", [](Coupon& fenced) -> Result<void> {
    ++fenced.epoch;
    return {};
  }));
  const auto before = ticker().now();
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_FALSE(world.catalog.snapshot()->find("good")->is_open());
  EXPECT_GE(world.catalog.current_as_of(), before);

  release.set_value();
  propagating.join();
  EXPECT_TRUE(world.sqlite->coupon("new")->is_open());
}

TEST(Catalog, TellsOfEachChangeOnceItIsPublished) {
  World world;
  Catalog told(world.store);
  std::vector<std::string> ids;
  told.listen([&](std::span<const std::shared_ptr<const Coupon>> coupons, std::span<const std::string>) {
    for (const auto& coupon : coupons) {
      ids.push_back(coupon->id);
      EXPECT_EQ(told.snapshot()->find(coupon->id), coupon);
      EXPECT_GT(told.current_as_of().time_since_epoch().count(), 0);
    }
  });
  for (const char* id : {"a", "b"}) ASSERT_TRUE(world.sqlite->create_coupon(row(id)));
  ASSERT_TRUE(told.refresh());
  ASSERT_TRUE(told.refresh());
  EXPECT_EQ(ids, (std::vector<std::string>{"a", "b"}));
}

// Which call fails must not matter: whatever was read is served, sooner or later.
TEST(Catalog, LosesNoCouponWhateverCallOfTheStoreFails) {
  for (std::size_t skip = 0; skip < 2; ++skip) {
    World world;
    ASSERT_TRUE(world.sqlite->create_coupon(row("a")));
    ASSERT_TRUE(world.sqlite->create_coupon(row("b")));
    world.faults.fail("coupons_since", Fault::before, 1, skip);
    (void)world.refresh();
    ASSERT_TRUE(world.refresh());
    for (const char* id : {"a", "b"}) {
      const auto coupon = world.catalog.snapshot()->find(id);
      ASSERT_TRUE(coupon) << id << " with call " << skip << " failing";
      EXPECT_EQ(coupon->epoch, 1) << id << " with call " << skip << " failing";
    }
  }
}

TEST(Catalog, LosesNoPageThatItReadBeforeTheStoreFailed) {
  World world;
  for (std::size_t i = 0; i <= coupons_page_max; ++i)
    ASSERT_TRUE(world.sqlite->create_coupon(row("c" + std::to_string(i))));
  Catalog starting(world.store);
  world.faults.fail("coupons_since", Fault::before, 1, 1);
  EXPECT_FALSE(starting.refresh());
  EXPECT_EQ(starting.snapshot()->coupons().size(), coupons_page_max);
  ASSERT_TRUE(starting.refresh());
  EXPECT_EQ(starting.snapshot()->coupons().size(), coupons_page_max + 1);
}

// An id is part of keys and messages: one that somebody has put into the table by hand could name another
// coupon's.
TEST(Catalog, ServesNoCouponWithAnIdThatIsNone) {
  World world;
  for (const char* id : {"a", "b}x", "b c", "d"}) ASSERT_TRUE(world.sqlite->create_coupon(row(id)));
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_EQ(world.catalog.snapshot()->coupons().size(), 2U);
  EXPECT_TRUE(world.catalog.snapshot()->find("a"));
  EXPECT_TRUE(world.catalog.snapshot()->find("d"));
}

TEST(Catalog, ServesNoCouponWithATimeThatIsNone) {
  const Time far = *parse_rfc3339("9999-12-31T23:59:59.999Z") + std::chrono::milliseconds(1);
  const Time early = Time() - std::chrono::milliseconds(1);
  World world;
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(world.sqlite->create_coupon(row(id)));
  ASSERT_TRUE(world.catalog.refresh());
  const auto set = [&](const std::string& id, const std::function<void(Coupon&)>& change) {
    ASSERT_TRUE(world.sqlite->update_coupon(id, [&](Coupon& coupon) -> Result<void> {
      change(coupon);
      return {};
    }));
  };
  set("a", [&](Coupon& coupon) { coupon.closes_at = far; });
  set("b", [&](Coupon& coupon) { coupon.opens_at = early; });
  set("c", [&](Coupon& coupon) { coupon.closes_at = from_millis(std::numeric_limits<std::int64_t>::max()); });
  set("d", [&](Coupon& coupon) { coupon.closes_at = far - std::chrono::milliseconds(1); });
  std::vector<std::string> told_gone;
  world.catalog.listen(
      [&](std::span<const std::shared_ptr<const Coupon>>, std::span<const std::string> gone) {
        told_gone.assign(gone.begin(), gone.end());
      });
  ASSERT_TRUE(world.catalog.refresh());
  for (const char* id : {"a", "b", "c"}) EXPECT_FALSE(world.catalog.snapshot()->find(id)) << id;
  EXPECT_TRUE(world.catalog.snapshot()->find("d"));
  std::ranges::sort(told_gone);
  EXPECT_EQ(told_gone, (std::vector<std::string>{"a", "b", "c"}));
  set("a", [&](Coupon& coupon) { coupon.closes_at.reset(); });
  ASSERT_TRUE(world.catalog.refresh());
  EXPECT_TRUE(world.catalog.snapshot()->find("a")) << "its row was mended";
}

TEST(Catalog, IsStaleWhileTheStoreGivesCouponsOutOfOrder) {
  struct Backwards : FaultyStore {
    using FaultyStore::FaultyStore;
    Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override {
      auto page = FaultyStore::coupons_since(after, limit);
      if (page) std::ranges::reverse(*page);
      return page;
    }
  };
  World world;
  for (const char* id : {"a", "b"}) ASSERT_TRUE(world.sqlite->create_coupon(row(id)));
  Backwards store(*world.sqlite, world.faults);
  Catalog catalog(store);
  const auto refreshed = catalog.refresh();
  ASSERT_FALSE(refreshed);
  EXPECT_EQ(refreshed.error().code, Errc::unavailable);
  EXPECT_EQ(catalog.current_as_of().time_since_epoch().count(), 0);
}

TEST(Catalog, KeepsWhatItKnowsWhileTheStoreIsAway) {
  World world;
  world.create("c", 5);
  world.faults.fail("coupons_since", Fault::before);
  EXPECT_EQ(world.catalog.refresh().error().code, Errc::unavailable);
  EXPECT_TRUE(world.catalog.snapshot()->find("c"));
}

TEST(Catalog, ServesNoMoreCouponsThanItsLimit) {
  World world;
  Catalog small(world.store, {.coupons_max = 2});
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(world.sqlite->create_coupon(row(id)));
  ASSERT_TRUE(small.refresh());
  EXPECT_EQ(small.snapshot()->coupons().size(), 2U);
  ASSERT_TRUE(world.sqlite->update_coupon("a", [](Coupon& coupon) -> Result<void> {
    coupon.name = "known ones still change";
    return {};
  }));
  ASSERT_TRUE(small.refresh());
  EXPECT_EQ(small.snapshot()->find("a")->name, "known ones still change");
}

TEST(Catalog, ReadsMoreThanOnePage) {
  World world;
  const int count = static_cast<int>(coupons_page_max) + 1;
  for (int i = 0; i < count; ++i) ASSERT_TRUE(world.sqlite->create_coupon(row(std::to_string(i))));
  Catalog reader(world.store);
  ASSERT_TRUE(reader.refresh());
  EXPECT_EQ(reader.snapshot()->coupons().size(), static_cast<std::size_t>(count));
}

TEST(Catalog, FailsToStartWithoutTheStore) {
  World world;
  world.faults.fail("coupons_since", Fault::before);
  EXPECT_FALSE(world.catalog.start());
}

TEST(Catalog, ItsThreadNoticesAChange) {
  World world;
  Catalog quick(world.store, {.refresh_period = std::chrono::milliseconds(1)});
  ASSERT_TRUE(quick.start());
  CatalogReader reader(quick);
  EXPECT_FALSE(reader.find("c"));
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!reader.find("c") && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(reader.find("c"));
}

TEST(Catalog, AReaderSeesTheNewCouponWhenToldOfTheRefresh) {
  World world;
  ASSERT_TRUE(world.catalog.start());
  ASSERT_TRUE(world.sqlite->create_coupon(row("c")));
  CatalogReader reader(world.catalog);
  EXPECT_FALSE(reader.find("c"));
  std::atomic<bool> done{false};
  world.catalog.refresh_then([&](const Result<void>&) { done = true; });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(reader.find("c"));
}

}  // namespace
}  // namespace seonchak
