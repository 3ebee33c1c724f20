#include "store/postgres/postgres.hpp"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "store/testing/database.hpp"
#include "store/testing/fake_server.hpp"

namespace seonchak {
namespace {

Result<void> leave_it(Coupon&) {
  return {};
}

std::string startup_error(const PostgresOptions& options) {
  try {
    open_postgres(options);
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

std::string startup_error(const std::string& url) {
  PostgresOptions options;
  options.url = url;
  return startup_error(options);
}

void expect_told_without_secret(const std::string& message) {
  EXPECT_NE(message, "");
  EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
}

/// A store whose rows are refused with the SQLSTATE of the test's choice.
void refuse_rows_with(const PostgresDatabase& database, const std::string& sqlstate) {
  database.run(
      "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " RAISE EXCEPTION 'refused' USING ERRCODE = '" +
      sqlstate +
      "'; END $$;"
      "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON user_coupon FOR EACH ROW EXECUTE FUNCTION refuse()");
}

TEST(Postgres, AnIdleConnectionThatWasKilledIsReplaced) {
  PostgresDatabase database;
  const auto store = database.open();
  ASSERT_TRUE(store->check());
  for (int round = 0; round < 3; ++round) {
    database.kill_store_connections();
    ASSERT_TRUE(eventually([&] { return database.store_connections() == 0; }));
    // The good-bye may still be on its way: then this call finds out, and the next one connects.
    if (const auto checked = store->check(); !checked) {
      EXPECT_EQ(checked.error().code, Errc::unavailable);
    }
    EXPECT_TRUE(eventually([&] { return store->check().has_value(); }));
  }
}

TEST(Postgres, ASaveThatIsCutOffIsUnavailableAndCanBeRepeated) {
  PostgresDatabase database;
  const auto store = database.open();
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; LOCK TABLE user_coupon IN EXCLUSIVE MODE");
  const SaveBatch batch = batch_of({event("a", 1), event("a", 2)}, {{0, 0, 2}});
  auto saving = std::async(std::launch::async, [&] { return store->save(batch); });
  ASSERT_TRUE(eventually([&] { return database.store_connections("wait_event_type = 'Lock'") == 1; }));
  database.kill_store_connections();
  EXPECT_EQ(saving.get().error().code, Errc::unavailable);
  PostgresDatabase::run_on(*blocker, "ROLLBACK");

  EXPECT_TRUE(store->holders("a", 0, 10).value().empty());
  EXPECT_TRUE(store->positions("group", "topic").value().empty());
  EXPECT_EQ(store->save(batch).value(), SaveOutcome::saved);
  EXPECT_EQ(store->holders("a", 0, 10).value().size(), 2U);
}

TEST(Postgres, RepeatsFailOnceAndAreExpectedFromThenOn) {
  PostgresDatabase database;
  auto store = database.open();
  const SaveBatch batch = batch_of({event("a", 1), event("a", 2)});
  for (int save = 0; save < 20; ++save) EXPECT_EQ(store->save(batch).value(), SaveOutcome::saved);
  EXPECT_EQ(store->holders("a", 0, 10).value().size(), 2U);
  store.reset();  // a connection tells its statistics at its end
  ASSERT_TRUE(eventually([&] { return database.store_connections() == 0; }));
  EXPECT_EQ(PostgresDatabase::on_server("SELECT xact_rollback FROM pg_stat_database WHERE datname = '" +
                                        database.name() + "'"),
            "1");
}

TEST(Postgres, AnUpdateThatLosesItsConnectionInTheChangeIsUnavailable) {
  PostgresDatabase database;
  const auto store = database.open();
  const Coupon created = store->create_coupon(coupon_named("a")).value();
  const auto updated = store->update_coupon("a", [&](Coupon& present) -> Result<void> {
    present.stock = 1;
    database.kill_store_connections();
    return {};
  });
  EXPECT_EQ(updated.error().code, Errc::unavailable);
  EXPECT_EQ(store->coupon("a").value().stock, created.stock);
  EXPECT_TRUE(store->update_coupon("a", leave_it));
}

TEST(Postgres, ACallThatFindsNoFreeConnectionIsUnavailable) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.connections_max = 2;
  options.connection_wait_timeout_ms = 100;
  const auto store = open_postgres(options);
  ASSERT_TRUE(store->create_coupon(coupon_named("a")));
  ASSERT_TRUE(store->create_coupon(coupon_named("b")));

  std::promise<void> go_on;
  const auto gone_on = go_on.get_future().share();
  std::atomic<int> inside{0};
  const auto hold = [&](const std::string& id) {
    return store->update_coupon(id, [&](Coupon&) -> Result<void> {
      ++inside;
      gone_on.wait();
      return {};
    });
  };
  auto first = std::async(std::launch::async, hold, "a");
  auto second = std::async(std::launch::async, hold, "b");
  ASSERT_TRUE(eventually([&] { return inside == 2; }));
  EXPECT_EQ(store->check().error().code, Errc::unavailable);
  EXPECT_EQ(database.store_connections(), 2);
  go_on.set_value();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(store->check());
}

TEST(Postgres, CallersQueueForAConnection) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.connections_max = 2;
  options.connection_wait_timeout_ms = 60'000;
  const auto store = open_postgres(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) EXPECT_TRUE(store->check());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(database.store_connections(), 2);
}

TEST(Postgres, AStatementThatTakesTooLongIsGivenUp) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.statement_timeout_ms = 200;
  const auto store = open_postgres(options);
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; LOCK TABLE user_coupon IN EXCLUSIVE MODE");
  const auto saved = store->save(batch_of({event("a", 1)}));
  EXPECT_EQ(saved.error().code, Errc::not_now);
  EXPECT_NE(saved.error().message.find("57014"), std::string::npos) << saved.error().message;
  PostgresDatabase::run_on(*blocker, "ROLLBACK");
  EXPECT_EQ(store->save(batch_of({event("a", 1)})).value(), SaveOutcome::saved);
}

TEST(Postgres, AnInfiniteWindowIsOpenAndNoOtherIs) {
  PostgresDatabase database;
  const auto store = database.open();
  Coupon coupon;
  coupon.id = coupon.name = "c";
  coupon.stock = 1;
  coupon.created_at = now();
  ASSERT_TRUE(store->create_coupon(coupon));
  database.run("UPDATE coupon SET opens_at = '-infinity', closes_at = 'infinity'");
  const auto open = store->coupon("c");
  ASSERT_TRUE(open);
  EXPECT_FALSE(open->opens_at);
  EXPECT_FALSE(open->closes_at);
  EXPECT_FALSE(why_not_served(*open));
  for (const char* change : {"opens_at = 'infinity'", "opens_at = '1960-01-01'", "closes_at = '-infinity'",
                             "closes_at = '10000-01-01'", "created_at = 'infinity'"}) {
    database.run("UPDATE coupon SET opens_at = NULL, closes_at = NULL");
    database.run(std::string("UPDATE coupon SET ") + change);
    EXPECT_TRUE(why_not_served(store->coupon("c").value())) << change;
  }
}

TEST(Postgres, AServerThatStaysSilentIsGivenUp) {
  PostgresDatabase database;
  PostgresOptions options = database.options();
  options.statement_timeout_ms = 0;  // never: only the caller's own deadline is left
  options.call_grace_ms = 3'000;
  const auto store = open_postgres(options);
  const auto blocker = database.connect();
  PostgresDatabase::run_on(*blocker, "BEGIN; LOCK TABLE user_coupon IN EXCLUSIVE MODE");
  EXPECT_EQ(store->save(batch_of({event("a", 1)})).error().code, Errc::unavailable);
  PostgresDatabase::run_on(*blocker, "ROLLBACK");
  EXPECT_EQ(store->save(batch_of({event("a", 1)})).value(), SaveOutcome::saved);
}

TEST(Postgres, WhatTimeMayCureIsUnavailableAndWhatTheDataCausesIsRejected) {
  PostgresDatabase database;
  const auto store = database.open();
  for (const std::string sqlstate :
       {"40001", "40P01", "53100", "53300", "57P03", "57P05", "08006", "25006", "25P03", "58030"}) {
    refuse_rows_with(database, sqlstate);
    const auto saved = store->save(batch_of({event("a", 1)}, {{0, 0, 1}}));
    EXPECT_EQ(saved.error().code, Errc::unavailable) << sqlstate;
    EXPECT_NE(saved.error().message.find(sqlstate), std::string::npos) << saved.error().message;
  }
  for (const std::string sqlstate : {"57014", "42501", "P0001"}) {
    refuse_rows_with(database, sqlstate);
    EXPECT_EQ(store->save(batch_of({event("a", 1)}, {{0, 0, 1}})).error().code, Errc::not_now) << sqlstate;
  }
  for (const std::string sqlstate : {"22003", "23514", "23505"}) {
    refuse_rows_with(database, sqlstate);
    EXPECT_EQ(store->save(batch_of({event("a", 1)}, {{0, 0, 1}})).error().code, Errc::rejected) << sqlstate;
  }
  EXPECT_TRUE(store->positions("group", "topic").value().empty());
  database.run("DROP TRIGGER refuse ON user_coupon");
  EXPECT_EQ(store->save(batch_of({event("a", 1)}, {{0, 0, 1}})).value(), SaveOutcome::saved);
}

TEST(Postgres, ARejectionNamesTheStateTheConstraintAndTheKey) {
  PostgresDatabase database;
  const auto store = database.open();
  ASSERT_TRUE(store->save(batch_of({event("a", 17, "u")})));
  const std::string message = store->save(batch_of({event("a", 17, "v")})).error().message;
  for (const std::string part : {"23505", "user_coupon_sequence", "(a, 17)"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(Postgres, TextAndTimesThatTheTypesCannotHoldAreRejected) {
  PostgresDatabase database;
  const auto store = database.open();
  EXPECT_EQ(store->save(batch_of({event("a", 1, std::string("u\0v", 3))})).error().code, Errc::rejected);
  EXPECT_EQ(store->save(batch_of({event("a", 1, "\xff")})).error().code, Errc::rejected);
  IssuedEvent late = event("a", 1);
  late.issued_at = Time::max();
  EXPECT_EQ(store->save(batch_of({late})).error().code, Errc::rejected);
  EXPECT_EQ(store->save(batch_of({event("a", 1)})).value(), SaveOutcome::saved);
}

TEST(Postgres, CommitsWaitForTheDiskWhateverTheDatabaseDefaultsTo) {
  PostgresDatabase database;
  database.on_server("ALTER DATABASE " + database.name() + " SET synchronous_commit = off");
  const auto store = database.open();
  ASSERT_EQ(database.run("SHOW synchronous_commit"), "on");
  ASSERT_EQ(PostgresDatabase::on_server("SELECT setconfig[1] FROM pg_db_role_setting s JOIN pg_database d ON"
                                        " d.oid = s.setdatabase WHERE datname = '" +
                                        database.name() + "'"),
            "synchronous_commit=off");
  EXPECT_TRUE(store->check());
}

TEST(Postgres, ADatabaseThatIsNotUtf8IsRefused) {
  PostgresDatabase database("ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
  EXPECT_NE(startup_error(database.options()).find("ENCODING 'UTF8'"), std::string::npos);
}

TEST(Postgres, AServerThatIsNotThereIsAStartupErrorWithoutThePassword) {
  const std::string message = startup_error("postgresql://u:s3cret@127.0.0.1:1/db");
  expect_told_without_secret(message);
  EXPECT_NE(message.find("127.0.0.1"), std::string::npos) << message;
}

TEST(Postgres, AUrlThatCannotBeReadIsAStartupErrorWithoutThePassword) {
  for (const std::string url :
       {"postgresql://u:s3cret@[::1/db", "postgresql://u:s3cret@host:5432/db?nothing=1",
        "postgresql://u:s3cret%zz@host/db", "u s3cret", "postgresql://u:s3cret@h:99999999/db"}) {
    expect_told_without_secret(startup_error(url));
  }
}

TEST(Postgres, AServerThatQuotesThePasswordIsNotQuoted) {
  FakeServer server("password \"s3cret\" is wrong");
  const std::string message =
      startup_error("postgresql://u:s3cret@127.0.0.1:" + std::to_string(server.port()) +
                    "/db?sslmode=disable&gssencmode=disable");
  expect_told_without_secret(message);
  EXPECT_NE(message.find("password \"***\" is wrong"), std::string::npos) << message;
}

TEST(Postgres, AServerThatNeverAnswersIsAStartupError) {
  FakeServer server;
  PostgresOptions options;
  options.url = "postgresql://u:s3cret@127.0.0.1:" + std::to_string(server.port()) +
                "/db?sslmode=disable&gssencmode=disable";
  options.connect_timeout_s = 2;
  expect_told_without_secret(startup_error(options));
}

}  // namespace
}  // namespace seonchak
