#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

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

TEST(PostgresLocks, WhatATriggerRefusesIsNotNow) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.statement_timeout_ms = 300;
  const auto store = open_postgres(options);
  for (const char* id : {"a", "b"}) ASSERT_TRUE(store->create_coupon(coupon_named(id)));
  const auto shop = database.connect();
  const auto refuse_by = [&](const std::string& statement) {
    PostgresDatabase::run_on(
        *shop,
        "CREATE OR REPLACE FUNCTION refuse_a() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.coupon_id = 'a' THEN " +
            statement +
            "; END IF; RETURN NEW; END $$;"
            "CREATE OR REPLACE TRIGGER refuse_a BEFORE INSERT ON user_coupon"
            " FOR EACH ROW EXECUTE FUNCTION refuse_a()");
  };
  const auto code = [&] {
    const auto saved = store->save(batch_of({event("a", 1)}, {{0, 0, 1}}));
    return saved ? "saved" : std::string(to_string(saved.error().code));
  };
  for (const char* statement : {"RAISE EXCEPTION 'no'", "PERFORM 1 / (SELECT 0 FROM nowhere)",
                                "RAISE EXCEPTION 'no' USING ERRCODE = 'XX000'", "PERFORM pg_sleep(30)"}) {
    refuse_by(statement);
    EXPECT_EQ(code(), "not_now") << statement;
  }
  refuse_by("PERFORM 1 / 0");
  EXPECT_EQ(code(), "rejected");
  for (const char* state : {"08006", "40001", "53100", "57P01", "58030", "25006"}) {
    refuse_by("RAISE EXCEPTION 'no' USING ERRCODE = '" + std::string(state) + "'");
    EXPECT_EQ(code(), "unavailable") << state;
  }
  EXPECT_TRUE(store->save(batch_of({event("b", 1)}))) << "others are taken";
  PostgresDatabase::run_on(*shop, "DROP TRIGGER refuse_a ON user_coupon");
  EXPECT_EQ(code(), "saved");
}

TEST(PostgresLocks, AFenceLeavesHeldRowsOutAndWaitsForNone) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.lock_timeout_ms = 5'000;
  const auto store = open_postgres(options);
  std::vector<CouponFence> fences;
  for (const char* id : {"a", "b", "c", "d"}) {
    const Coupon coupon = store->create_coupon(coupon_named(id)).value();
    fences.push_back({id, coupon.epoch, coupon.gate, coupon.epoch + 1, "new"});
  }
  fences[3].seen_epoch += 5;
  fences.push_back({"gone", 0, "", 1, "new"});
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; SELECT 1 FROM coupon WHERE id = 'a' FOR UPDATE");
  const auto saver = database.connect();
  PostgresDatabase::run_on(*saver, "BEGIN; SELECT 1 FROM coupon WHERE id = 'c' FOR SHARE");
  const auto began = std::chrono::steady_clock::now();
  auto fenced = store->fence_coupons(fences).value();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
  ASSERT_EQ(fenced.changed.size(), 1U);
  EXPECT_EQ(fenced.changed.front().id, "b");
  std::ranges::sort(fenced.held);
  EXPECT_EQ(fenced.held, (std::vector<std::string>{"a", "c"}));
  PostgresDatabase::run_on(*blocker, "ROLLBACK");
  PostgresDatabase::run_on(*saver, "ROLLBACK");
  fenced = store->fence_coupons(fences).value();
  EXPECT_EQ(fenced.changed.size(), 2U);
  EXPECT_TRUE(fenced.held.empty());
}

TEST(PostgresLocks, WhoRecordsWaitsForNobody) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.lock_timeout_ms = 5'000;
  const auto store = open_postgres(options);
  Coupon coupon = coupon_named("a");
  coupon.epoch = 2;
  coupon.settled = 1;
  ASSERT_TRUE(store->create_coupon(coupon));
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; SELECT 1 FROM coupon FOR UPDATE");
  EXPECT_TRUE(store->begin_recording("a", 2, "p").value());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(store->record_unsaved("a", 2, "p", {}).error().code, Errc::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
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
