#pragma once
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

#include "store/postgres/connection.hpp"
#include "store/postgres/postgres.hpp"
#include "store/sqlite/sqlite.hpp"

namespace seonchak {

inline constexpr std::chrono::seconds test_deadline_s{60};

/// Asks until `done` says yes; false when it never did.
template <class Done>
bool eventually(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + test_deadline_s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// No two tests share a name, in this process or another.
inline std::string unique_name(const std::string& prefix) {
  static std::atomic<int> count{0};
  std::random_device random;
  return prefix + std::to_string(getpid()) + "_" + std::to_string(random()) + "_" + std::to_string(++count);
}

class TempFolder {
 public:
  TempFolder() : path_(std::filesystem::temp_directory_path() / unique_name("seonchak_store_")) {
    std::filesystem::create_directory(path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A database of the test's own, from which a store can be opened more than once.
class StoreDatabase {
 public:
  virtual ~StoreDatabase() = default;
  virtual std::unique_ptr<Store> open() = 0;
};

class SqliteDatabase final : public StoreDatabase {
 public:
  std::unique_ptr<Store> open() override { return open_sqlite(options()); }
  SqliteOptions options() const {
    SqliteOptions options;
    options.path = path();
    return options;
  }
  std::string path() const { return folder_.file("store.db"); }

 private:
  TempFolder folder_;
};

/// Dropped at the end, with whoever is still connected to it.
class PostgresDatabase final : public StoreDatabase {
 public:
  explicit PostgresDatabase(const std::string& create_options = "") : name_(unique_name("seonchak_test_")) {
    on_server("CREATE DATABASE " + name_ + " " + create_options);
  }
  ~PostgresDatabase() override {
    try {
      on_server("DROP DATABASE " + name_ + " WITH (FORCE)");
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }

  std::unique_ptr<Store> open() override { return open_postgres(options()); }

  PostgresOptions options() const {
    PostgresOptions options;
    options.url = url();
    return options;
  }

  const std::string& name() const { return name_; }

  /// The server's URL with this database in the place of its own.
  std::string url() const {
    std::string url = server_url();
    const auto host = url.find("://");
    const auto path = host == std::string::npos ? host : url.find('/', host + 3);
    if (path == std::string::npos) throw std::runtime_error("SEONCHAK_TEST_POSTGRES names no database");
    const auto end = std::min(url.find('?', path), url.size());
    return url.replace(path + 1, end - path - 1, name_);
  }

  std::unique_ptr<PostgresConnection> connect() const { return connect_to(url()); }

  /// Runs SQL beside the store, and returns the first value.
  std::string run(const std::string& sql) const { return run_on(*connect(), sql); }

  static std::string run_on(PostgresConnection& connection, const std::string& sql) {
    auto rows = connection.script(sql, test_deadline_s);
    if (!rows) throw std::runtime_error(sql + ": " + rows.error().message);
    return rows->size() == 0 ? "" : std::string(rows->text(0, 0));
  }

  /// Runs SQL in the server's own database: this one has no connection then.
  static std::string on_server(const std::string& sql) { return run_on(*connect_to(server_url()), sql); }

  /// How many of the store's connections the condition on pg_stat_activity holds for.
  int store_connections(const std::string& condition = "true") const {
    return std::stoi(on_server("SELECT count(*) FROM pg_stat_activity WHERE datname = '" + name_ +
                               "' AND application_name = 'seonchak' AND " + condition));
  }

  void kill_store_connections() const {
    on_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name_ +
              "' AND application_name = 'seonchak'");
  }

 private:
  static std::string server_url() {
    const char* const url = std::getenv("SEONCHAK_TEST_POSTGRES");
    if (url == nullptr)
      throw std::runtime_error("SEONCHAK_TEST_POSTGRES is not set: run it through ./dev test");
    return url;
  }

  static std::unique_ptr<PostgresConnection> connect_to(const std::string& url) {
    PostgresOptions options;
    options.url = url + (url.find('?') == std::string::npos ? "?" : "&") + "application_name=seonchak_test";
    auto connection = PostgresConnection::open(options);
    if (!connection) throw std::runtime_error(connection.error().message);
    return std::move(*connection);
  }

  std::string name_;
};

inline Coupon coupon_named(const std::string& id) {
  Coupon coupon;
  coupon.id = id;
  coupon.name = "name of " + id;
  coupon.stock = 1'000;
  coupon.created_at = from_millis(1'700'000'000'001);
  return coupon;
}

/// Sequence n was issued to user n, one millisecond after the one before.
inline IssuedEvent event(const std::string& coupon_id, Sequence sequence, const std::string& user_id) {
  return {coupon_id, user_id, sequence, from_millis(1'700'000'000'000 + sequence.value()), 1};
}

inline IssuedEvent event(const std::string& coupon_id, Sequence sequence) {
  return event(coupon_id, sequence, "user" + to_string(sequence));
}

inline SaveBatch batch_of(std::vector<IssuedEvent> events, std::vector<PositionChange> positions = {}) {
  return {"group", "topic", std::move(events), std::move(positions)};
}

}  // namespace seonchak
