#include <gtest/gtest.h>

#include "store/postgres/postgres.hpp"
#include "store/testing/database.hpp"

namespace seonchak {
namespace {

Result<void> leave_it(Coupon&) {
  return {};
}

TEST(PostgresLocks, ARowThatIsHeldMakesASaveBusyAndAChangeFail) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.lock_timeout_ms = 100;
  const auto store = open_postgres(options);
  for (const char* id : {"a", "b"}) ASSERT_TRUE(store->create_coupon(coupon_named(id)));
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; SELECT 1 FROM coupon WHERE id = 'a' FOR UPDATE");
  const auto updated = store->update_coupon("a", leave_it);
  EXPECT_EQ(updated.error().code, Errc::row_held);
  SaveBatch batch = batch_of({event("a", 1), event("b", 1)}, {{0, 0, 1}});
  batch.epochs = {{"a", 0}, {"b", 0}};
  EXPECT_EQ(store->save(batch).value(), SaveOutcome::busy);
  EXPECT_TRUE(store->holders("b", 0, 10).value().empty());
  EXPECT_TRUE(store->positions("group", "topic").value().empty());
  SaveBatch free = batch_of({event("b", 1)});
  free.epochs = {{"b", 0}};
  EXPECT_EQ(store->save(free).value(), SaveOutcome::saved);
  PostgresDatabase::run_on(*blocker, "ROLLBACK");
  EXPECT_TRUE(store->update_coupon("a", leave_it));
  EXPECT_EQ(store->save(batch).value(), SaveOutcome::saved);
}

TEST(PostgresLocks, AnIntentToRecordWaitsForNobody) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.lock_timeout_ms = 100;
  const auto store = open_postgres(options);
  Coupon coupon = coupon_named("a");
  coupon.epoch = 2;
  coupon.settled = 1;
  ASSERT_TRUE(store->create_coupon(coupon));
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; SELECT 1 FROM coupon FOR UPDATE");
  EXPECT_TRUE(store->begin_recording("a", 2, "p").value());
  EXPECT_EQ(store->record_unsaved("a", 2, "p", {}).error().code, Errc::unavailable);
  EXPECT_TRUE(store->end_recording("a", 2, "p"));
}

TEST(PostgresLocks, ASessionThatSaysNothingInsideATransactionLosesItsRows) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.idle_in_transaction_timeout_ms = 200;
  const auto store = open_postgres(options);
  const auto other = database.open();
  const Coupon created = store->create_coupon(coupon_named("a")).value();
  Result<Coupon> meanwhile = Error{};
  const auto hung = store->update_coupon("a", [&](Coupon& row) -> Result<void> {
    row.stock = 1;
    meanwhile = other->update_coupon("a", [](Coupon& present) -> Result<void> {
      present.stock = 2;
      return {};
    });
    return {};
  });
  ASSERT_TRUE(meanwhile) << meanwhile.error().message;
  EXPECT_EQ(hung.error().code, Errc::unavailable) << hung.error().message;
  EXPECT_EQ(store->coupon("a").value().stock, 2);
  EXPECT_TRUE(store->update_coupon("a", leave_it));
}

TEST(PostgresLocks, ALeaseWhoseHolderIsGoneIsNobodys) {
  PostgresDatabase database;
  auto holder = database.open();
  const auto other = database.open();
  const auto token = holder->take_lease("name", {}, "one").value();
  ASSERT_TRUE(token && holder->beat_lease("name", *token).value());
  const LeaseRow held = other->read_lease("name").value();
  EXPECT_EQ(held, (LeaseRow{*token, 1, "one"}));
  holder.reset();
  ASSERT_TRUE(eventually([&] { return other->read_lease("name").value().holder.empty(); }));
  EXPECT_GT(other->take_lease("name", other->read_lease("name").value(), "two").value().value_or(0), *token);
}

TEST(PostgresLocks, AHolderThatLosesItsSessionsSaysSoAtItsNextBeat) {
  PostgresDatabase database;
  const auto store = database.open();
  const auto token = store->take_lease("name", {}, "one").value();
  database.kill_store_connections();
  ASSERT_TRUE(eventually([&] { return database.store_connections() == 0; }));
  ASSERT_TRUE(eventually([&] {
    const auto beat = store->beat_lease("name", *token);
    if (!beat || !*beat) return false;
    const auto lease = store->read_lease("name");
    return lease && lease->holder == "one";
  }));
  ASSERT_TRUE(store->release_lease("name", *token));
  EXPECT_EQ(store->read_lease("name").value().holder, "");
}

}  // namespace
}  // namespace seonchak
