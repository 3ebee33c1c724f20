#include <gtest/gtest.h>

#include "core/catalog/catalog.hpp"
#include "core/testing/rows.hpp"
#include "core/testing/ticker.hpp"
#include "core/testing/world.hpp"

namespace seonchak {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds compare_period{5'000};

/// A catalog that has heard of the rows so far, and what it tells.
struct Reloading {
  explicit Reloading(CatalogOptions options = {}) : catalog(store, options) {
    catalog.listen(
        [this](std::span<const std::shared_ptr<const Coupon>> coupons, std::span<const std::string> gone) {
          for (const auto& coupon : coupons) told.push_back(coupon->id);
          for (const auto& id : gone) told.push_back("gone " + id);
        });
  }

  void refresh() { ASSERT_TRUE(catalog.refresh()); }
  /// When it is time to compare.
  void refresh_later() {
    time.passed += compare_period;
    refresh();
  }

  HandTime time;
  World world;
  RowStore store{*world.sqlite, world.faults};
  Catalog catalog;
  std::vector<std::string> told;
};

using Told = std::vector<std::string>;

TEST(CatalogReload, ADeletedRowIsUnknownAndTheOthersStay) {
  Reloading test;
  test.store.put("a", 1);
  test.store.put("newest", 2);
  test.refresh();
  const auto kept = test.catalog.snapshot()->find("a");
  test.told.clear();
  test.store.rows.erase("newest");
  test.refresh();
  EXPECT_TRUE(test.catalog.snapshot()->find("newest")) << "not yet";
  test.refresh_later();
  EXPECT_FALSE(test.catalog.snapshot()->find("newest"));
  EXPECT_EQ(test.catalog.snapshot()->find("a"), kept);
  EXPECT_EQ(test.told, (Told{"gone newest"}));
  test.store.put("next", 2);
  test.refresh();
  EXPECT_TRUE(test.catalog.snapshot()->find("next")) << "the revision of one that was deleted";
}

TEST(CatalogReload, ARowThatIsWhatItWasBeforeIsReadAgain) {
  Reloading test;
  test.store.put("a", 1);
  test.store.put("b", 2);
  test.refresh();
  test.store.put("a", 3).closed = true;
  test.refresh();
  test.told.clear();
  test.store.put("a", 1);
  test.store.put("b", 4);
  test.refresh_later();
  EXPECT_FALSE(test.catalog.snapshot()->find("a")->closed);
  EXPECT_EQ(test.told, (Told{"b", "a"})) << "as many rows as before, and a later revision";
}

TEST(CatalogReload, ServesWhatItKnowsAndHearsOfChangesMeanwhile) {
  Reloading test({.reload_pages_per_refresh = 1});
  constexpr int count = 3 * int{coupons_page_max};
  for (int i = 1; i <= count; ++i) test.store.put("c" + std::to_string(i), i);
  test.refresh();
  test.store.rows.erase("c" + std::to_string(count));
  test.refresh_later();
  test.told.clear();
  test.store.put("c1", count + 1).epoch = 2;
  test.time.passed += milliseconds(250);
  test.refresh();
  EXPECT_EQ(test.catalog.snapshot()->coupons().size(), static_cast<std::size_t>(count));
  EXPECT_EQ(test.catalog.snapshot()->find("c1")->epoch, 2);
  EXPECT_EQ(test.catalog.current_as_of(), test.time.now());
  for (int i = 0; i < 3; ++i) test.refresh();
  EXPECT_EQ(test.catalog.snapshot()->coupons().size(), static_cast<std::size_t>(count) - 1);
  EXPECT_EQ(test.catalog.snapshot()->find("c1")->epoch, 2);
  EXPECT_EQ(test.told, (Told{"c1", "gone c" + std::to_string(count)}));
}

TEST(CatalogReload, AChangeBetweenTheTwoQuestionsProvesNothing) {
  Reloading test;
  test.store.put("a", 1);
  test.refresh();
  Revision revision = 1;
  test.store.before_totals = [&] { test.store.put("a", ++revision); };
  const std::size_t pages = test.store.pages;
  for (int i = 0; i < 3; ++i) test.refresh_later();
  EXPECT_EQ(test.store.pages, pages + 3) << "nothing but the three refreshes";
  test.store.before_totals = nullptr;
  test.store.put("a", 1);
  test.refresh_later();
  EXPECT_EQ(test.catalog.snapshot()->find("a")->revision, 1);
}

TEST(CatalogReload, RowsThatAreNotServedAreKnownAllTheSame) {
  Reloading test({.coupons_max = 2});
  test.store.put("a", 1);
  test.store.put("not valid", 2);
  test.store.put("b", 3);
  test.store.put("too many", 4);
  test.store.rows["too-many"] = test.store.rows["too many"];
  test.store.rows.erase("too many");
  test.store.rows["too-many"].id = "too-many";
  test.refresh();
  const std::size_t pages = test.store.pages;
  test.refresh_later();
  EXPECT_EQ(test.store.pages, pages + 1);
  test.store.rows.erase("not valid");
  test.refresh_later();
  EXPECT_TRUE(test.catalog.snapshot()->find("a"));
  EXPECT_TRUE(test.catalog.snapshot()->find("b")) << "who is served stays so";
}

TEST(CatalogReload, ACouponBeyondTheLimitIsServedOnceThereIsRoom) {
  Reloading test({.coupons_max = 3});
  test.store.put("a", 1);
  test.store.put("b", 2);
  test.store.put("c", 3);
  test.store.put("extra", 4);
  test.store.put("later", 5);
  test.refresh();
  EXPECT_FALSE(test.catalog.snapshot()->find("extra"));
  test.told.clear();
  test.store.rows.erase("b");
  test.refresh_later();
  EXPECT_EQ(test.told, (Told{"extra", "gone b"}));
  EXPECT_FALSE(test.catalog.snapshot()->find("later"));
  const std::size_t pages = test.store.pages;
  test.refresh_later();
  EXPECT_EQ(test.store.pages, pages + 1) << "what is not served is known all the same";
}

TEST(CatalogReload, WhoIsServedStaysSoThoughChangedSinceOthersCame) {
  Reloading test({.coupons_max = 2});
  test.store.put("a", 1);
  test.store.put("b", 2);
  test.store.put("gone", 3);
  test.store.put("extra", 4);
  test.refresh();
  test.store.put("a", 5);
  test.store.put("b", 6);
  test.refresh();
  test.told.clear();
  test.store.rows.erase("gone");
  test.refresh_later();
  EXPECT_EQ(test.told, Told{});
  EXPECT_TRUE(test.catalog.snapshot()->find("a"));
  EXPECT_TRUE(test.catalog.snapshot()->find("b"));
  EXPECT_EQ(test.catalog.snapshot()->coupons().size(), 2U);
}

TEST(CatalogReload, IsBegunAgainWhenTheStoreFails) {
  Reloading test({.reload_pages_per_refresh = 1});
  constexpr int count = 2 * int{coupons_page_max};
  for (int i = 1; i <= count; ++i) test.store.put("c" + std::to_string(i), i);
  test.refresh();
  test.store.rows.erase("c1");
  test.refresh_later();
  test.store.failing = true;
  EXPECT_FALSE(test.catalog.refresh());
  EXPECT_EQ(test.catalog.snapshot()->coupons().size(), static_cast<std::size_t>(count));
  test.store.failing = false;
  for (int i = 0; i < 4; ++i) test.refresh_later();
  EXPECT_FALSE(test.catalog.snapshot()->find("c1"));
}

TEST(CatalogReload, ComparesAtOnceWhenInDoubt) {
  Reloading test;
  test.store.put("a", 1);
  test.refresh();
  test.store.rows.clear();
  test.catalog.doubt();
  test.refresh();
  EXPECT_FALSE(test.catalog.snapshot()->find("a"));
}

}  // namespace
}  // namespace seonchak
