#include "base/stop_deadline.hpp"

#include <array>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/postgres/postgres.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/sqlite.hpp"
#include "store/testing/database.hpp"

namespace seonchak {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds soon{200};
constexpr std::chrono::seconds far_below_its_limit{4};

/// Accepts connections as a kernel does for a program that hangs, and never says a word.
class HungServer {
 public:
  HungServer() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
    socklen_t size = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~HungServer() { close(socket_); }
  HungServer(const HungServer&) = delete;
  HungServer& operator=(const HungServer&) = delete;

  /// As patient with it as a connection may be.
  PostgresOptions options() const {
    PostgresOptions options;
    options.url = "postgresql://u@127.0.0.1:" + std::to_string(port_) + "/d";
    options.connect_timeout_s = 30;
    options.stop = std::make_shared<StopDeadline>();
    return options;
  }

 private:
  int socket_;
  int port_ = 0;
};

/// How long a call takes whose deadline is set while it is under way. It must fail as `unavailable`.
steady_clock::duration given_up_after(StopDeadline& stop, const std::function<Result<void>()>& call) {
  const auto began = steady_clock::now();
  auto called = std::async(std::launch::async, call);
  std::this_thread::sleep_for(soon);
  stop.set(steady_clock::now() + soon);
  const Result<void> outcome = called.get();
  EXPECT_TRUE(outcome.has_error() && outcome.error().code == Errc::unavailable);
  return steady_clock::now() - began;
}

TEST(StopDeadlineTest, TheEarliestCounts) {
  StopDeadline stop;
  EXPECT_FALSE(stop.passed());
  const auto time = steady_clock::now();
  stop.set(time);
  stop.set(time + std::chrono::hours(1));
  EXPECT_EQ(stop.get(), time);
  EXPECT_TRUE(stop.passed());
}

TEST(StopDeadlineTest, APostgresThatHangsIsGivenUp) {
  const HungServer server;
  const PostgresOptions options = server.options();
  const auto store = connect_postgres(options);
  const auto call = [&]() -> Result<void> {
    const auto found = store->coupon("c");
    if (!found) return found.error();
    return {};
  };
  EXPECT_LT(given_up_after(*options.stop, call), far_below_its_limit);

  const auto began = steady_clock::now();
  EXPECT_TRUE(call().has_error());
  EXPECT_LT(steady_clock::now() - began, far_below_its_limit);
}

TEST(StopDeadlineTest, ACheckOfAPostgresThatHangsHasALimitOfItsOwn) {
  const HungServer server;
  PostgresOptions options = server.options();
  options.check_timeout_ms = 300;
  const auto store = connect_postgres(options);
  const auto began = steady_clock::now();
  EXPECT_TRUE(store->check().has_error());
  EXPECT_LT(steady_clock::now() - began, far_below_its_limit);
}

TEST(StopDeadlineTest, AttemptsThatNeverEndAreLimited) {
  const HungServer server;
  const PostgresOptions options = server.options();
  const auto store = connect_postgres(options);
  for (int i = 0; i < StopDeadline::loose_max; ++i) EXPECT_TRUE(options.stop->begin_loose());
  const auto began = steady_clock::now();
  const auto refused = store->check();
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_NE(refused.error().message.find("too many attempts"), std::string::npos) << refused.error().message;
  EXPECT_LT(steady_clock::now() - began, far_below_its_limit);
  for (int i = 0; i < StopDeadline::loose_max; ++i) options.stop->end_loose();
  EXPECT_FALSE(options.stop->any_loose());
}

TEST(StopDeadlineTest, ALockOnTheFileIsNotWaitedForAnyMore) {
  const TempFolder folder;
  const std::string path = folder.file("locked.db");
  SqliteOptions options;
  options.path = path;
  options.busy_timeout_ms = 30'000;
  options.stop = std::make_shared<StopDeadline>();
  const auto store = open_sqlite(options);
  SqliteConnection other(path, 1'000);
  ASSERT_TRUE(other.script("BEGIN EXCLUSIVE"));
  const auto call = [&]() -> Result<void> {
    const auto saved = store->save({"g", "t", {}, {{0, 0, 1}}});
    if (!saved) return saved.error();
    return {};
  };
  EXPECT_LT(given_up_after(*options.stop, call), far_below_its_limit);
  ASSERT_TRUE(other.script("ROLLBACK"));
  EXPECT_TRUE(store->save({"g", "t", {}, {{0, 0, 1}}})) << "who needs to wait for nobody is served";
}

}  // namespace
}  // namespace seonchak
