#include "store/migrations.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "store/postgres/statements.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/statements.hpp"
#include "store/testing/database.hpp"

namespace seonchak {
namespace {

std::string startup_error(StoreDatabase& database) {
  try {
    database.open();
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

std::string query(const SqliteDatabase& database, const char* sql) {
  return SqliteConnection(database.path(), 5'000).value(sql).value();
}

TEST(Migrations, AreNumberedFromOneWithoutAGap) {
  for (const auto list : {postgres_migrations(), sqlite_migrations()}) {
    ASSERT_FALSE(list.empty());
    for (std::size_t i = 0; i < list.size(); ++i) {
      EXPECT_EQ(list[i].version, static_cast<int>(i) + 1);
      EXPECT_FALSE(list[i].sql.empty());
    }
  }
}

TEST(Migrations, OpeningASqliteStoreAgainAppliesNothing) {
  SqliteDatabase database;
  database.open();
  const std::string before =
      query(database, "SELECT group_concat(version || '@' || applied_at) FROM schema_migration");
  EXPECT_NE(before, "");
  database.open();
  EXPECT_EQ(query(database, "SELECT group_concat(version || '@' || applied_at) FROM schema_migration"),
            before);
}

TEST(Migrations, OpeningAPostgresStoreAgainAppliesNothing) {
  PostgresDatabase database;
  database.open();
  const std::string before =
      database.run("SELECT string_agg(version || '@' || applied_at, ',') FROM schema_migration");
  EXPECT_NE(before, "");
  database.open();
  EXPECT_EQ(database.run("SELECT string_agg(version || '@' || applied_at, ',') FROM schema_migration"),
            before);
}

/// A migration that this program does not know, and who may use a database with it.
std::string newer(int version, const std::string& oldest_program) {
  return "INSERT INTO schema_migration (version, applied_at, oldest_program) VALUES (" +
         std::to_string(version) + ", $now, " + oldest_program + ")";
}

std::string with(std::string sql, const std::string& now) {
  return sql.replace(sql.find("$now"), 4, now);
}

TEST(Migrations, ADatabaseOfANewerProgramIsUsedIfEveryNewerMigrationAllowsIt) {
  const int known = postgres_migrations().back().version;
  ASSERT_EQ(sqlite_migrations().back().version, known);
  SqliteDatabase file;
  PostgresDatabase database;
  file.open();
  database.open();
  const auto add = [&](const std::string& sql) {
    query(file, with(sql, "0").c_str());
    database.run(with(sql, "now()"));
  };
  add(newer(known + 1, std::to_string(known)));
  add(newer(known + 2, std::to_string(known - 1)));
  SqliteOptions read_file = file.options();
  PostgresOptions read_database = database.options();
  read_file.read_only = read_database.read_only = true;
  EXPECT_EQ(startup_error(file), "");
  EXPECT_EQ(startup_error(database), "");
  EXPECT_TRUE(open_sqlite(read_file)->check());
  EXPECT_TRUE(open_postgres(read_database)->check());

  add(newer(known + 3, std::to_string(known + 1)));
  add(newer(known + 4, std::to_string(known)));
  const std::string version = "schema version " + std::to_string(known + 4);
  EXPECT_NE(startup_error(file).find(version), std::string::npos);
  EXPECT_NE(startup_error(database).find(version), std::string::npos);
  EXPECT_THROW(open_sqlite(read_file), StartupError);
  EXPECT_THROW(open_postgres(read_database), StartupError);
}

TEST(Migrations, EachSaysWhichProgramsMayUseTheDatabase) {
  SqliteDatabase file;
  PostgresDatabase database;
  file.open();
  database.open();
  std::string said;
  for (const Migration& migration : postgres_migrations()) {
    EXPECT_LE(migration.oldest_program, migration.version);
    said += (said.empty() ? "" : ",") + std::to_string(migration.oldest_program);
  }
  EXPECT_EQ(query(file, "SELECT group_concat(oldest_program) FROM schema_migration"), said);
  EXPECT_EQ(
      database.run("SELECT string_agg(oldest_program::text, ',' ORDER BY version) FROM schema_migration"),
      said);
}

TEST(Migrations, ASqliteFileWithForeignTablesIsRefusedAndLeftAlone) {
  SqliteDatabase database;
  query(database, "CREATE TABLE coupon (other INTEGER)");
  EXPECT_NE(startup_error(database).find("a file of its own"), std::string::npos);
  EXPECT_EQ(query(database, "SELECT group_concat(name) FROM sqlite_schema"), "coupon");
}

TEST(Migrations, APostgresDatabaseWithForeignTablesIsRefusedAndLeftAlone) {
  PostgresDatabase database;
  database.run("CREATE TABLE coupon (other integer)");
  EXPECT_NE(startup_error(database).find("a database of its own"), std::string::npos);
  EXPECT_EQ(database.run("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"),
            "coupon");
}

/// A database of the second version, with rows, is brought up to date: a row saved twice still counts once, a
/// sequence given twice still surfaces, and what was redeemed stays so.
template <class Run>
void expect_rows_survive(StoreDatabase& database, std::span<const Migration> migrations,
                         const std::string& some_time, Run run) {
  run(std::string(migrations[0].sql));
  run(std::string(migrations[1].sql));
  for (const char* version : {"1", "2"})
    run("INSERT INTO schema_migration VALUES (" + std::string(version) + "," + some_time + ")");
  for (const char* row : {"1, 'anna'", "2, 'bert'"})
    run("INSERT INTO user_coupon (coupon_id, sequence, user_id, issued_at, epoch, saved_at) VALUES ('c', " +
        std::string(row) + "," + some_time + ", 1," + some_time + ")");
  run("UPDATE user_coupon SET status = 'redeemed' WHERE user_id = 'anna'");

  const auto store = database.open();
  ASSERT_TRUE(store->save(batch_of({event("c", 1, "anna"), event("c", 3, "cora")})));
  EXPECT_EQ(store->save(batch_of({event("c", 2, "dora")})).error().code, Errc::rejected);
  const auto holders = store->holders("c", 0, 10).value();
  ASSERT_EQ(holders.size(), 3U);
  EXPECT_EQ(holders[2].user_id, "cora");
  const auto annas = store->coupons_of_user("anna", 10).value();
  ASSERT_EQ(annas.size(), 1U);
  EXPECT_EQ(annas[0].status, "redeemed");
}

TEST(Migrations, RowsOfASqliteFileOfTheSecondVersionSurvive) {
  SqliteDatabase database;
  SqliteConnection connection(database.path(), 5'000);
  expect_rows_survive(database, sqlite_migrations(), "0",
                      [&](const std::string& sql) { ASSERT_TRUE(connection.script(sql)); });
}

TEST(Migrations, RowsOfAPostgresDatabaseOfTheSecondVersionSurvive) {
  PostgresDatabase database;
  expect_rows_survive(database, postgres_migrations(), "now()",
                      [&](const std::string& sql) { database.run(sql); });
}

// Else numbering a coupon would cost more with every coupon there is.
TEST(Migrations, TheHighestNumericIdIsFoundThroughAnIndex) {
  SqliteDatabase file;
  file.open();
  std::string sql = sqlite_sql::create_coupon;
  const std::string from = "FROM coupon WHERE id NOT GLOB";
  ASSERT_NE(sql.find(from), std::string::npos);
  sql.replace(sql.find(from), from.size(), "FROM coupon INDEXED BY coupon_number WHERE id NOT GLOB");
  SqliteConnection connection(file.path(), 5'000);
  EXPECT_TRUE(connection.value(("EXPLAIN " + sql).c_str())) << "SQLite refuses an index that does not fit";

  PostgresDatabase database;
  database.open();
  const std::string plan =
      database.run("SET enable_seqscan = off; EXPLAIN (FORMAT JSON) SELECT " + postgres_sql::next_number);
  EXPECT_NE(plan.find("coupon_number"), std::string::npos) << plan;
}

TEST(Migrations, PostgresStoresThatOpenAtOnceTakeTurns) {
  PostgresDatabase database;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back([&] { EXPECT_EQ(startup_error(database), ""); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(database.run("SELECT count(*) FROM schema_migration"),
            std::to_string(postgres_migrations().size()));
}

TEST(Migrations, OnceUpToDateARoleWithoutTheRightToCreateCanStart) {
  PostgresDatabase database;
  database.open();
  database.run(
      "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
      "CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS"
      " $$ BEGIN RAISE EXCEPTION 'no DDL'; END $$;"
      "CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION no_ddl()");
  EXPECT_EQ(startup_error(database), "");
}

}  // namespace
}  // namespace seonchak
