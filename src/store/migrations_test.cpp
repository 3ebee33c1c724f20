#include "store/migrations.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "store/database_fixture.hpp"
#include "store/sqlite_connection.hpp"

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

TEST(Migrations, ASqliteFileOfANewerProgramIsRefused) {
  SqliteDatabase database;
  database.open();
  query(database, "INSERT INTO schema_migration VALUES (1000, 0)");
  EXPECT_NE(startup_error(database).find("schema version 1000"), std::string::npos);
}

TEST(Migrations, APostgresDatabaseOfANewerProgramIsRefused) {
  PostgresDatabase database;
  database.open();
  database.run("INSERT INTO schema_migration VALUES (1000)");
  EXPECT_NE(startup_error(database).find("schema version 1000"), std::string::npos);
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
