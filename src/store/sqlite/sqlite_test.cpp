#include "store/sqlite/sqlite.hpp"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite/connection.hpp"
#include "store/testing/database.hpp"

namespace seonchak {
namespace {

constexpr std::int64_t batch_rows = 10;

std::string startup_error(const std::string& path) {
  SqliteOptions options;
  options.path = path;
  try {
    open_sqlite(options);
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

/// Batch n has the sequences after n * batch_rows, and moves the position as far.
SaveBatch numbered_batch(std::int64_t n) {
  SaveBatch batch = batch_of({}, {{0, n * batch_rows, (n + 1) * batch_rows}});
  for (std::int64_t i = 1; i <= batch_rows; ++i)
    batch.events.push_back(event("a", Sequence(n * batch_rows + i)));
  return batch;
}

/// The number of whole batches in the file; fails unless it holds exactly the first ones, rows and position
/// alike.
std::int64_t batches_in(Store& store) {
  const auto positions = store.positions("group", "topic").value();
  const std::int64_t rows = positions.empty() ? 0 : positions[0].next_offset;
  EXPECT_EQ(rows % batch_rows, 0);
  const auto holders = store.holders("a", 0, 1'000'000).value();
  EXPECT_EQ(holders.size(), static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < holders.size(); ++i) {
    EXPECT_EQ(holders[i].sequence, static_cast<int>(i) + 1);
    EXPECT_EQ(holders[i].user_id, "user" + std::to_string(i + 1));
  }
  return rows / batch_rows;
}

/// Runs `work` in a child process, which reports by writing bytes to the given descriptor.
class Child {
 public:
  template <class Work>
  explicit Child(Work work) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      int code = 1;
      try {
        code = work(ends[1]);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
      }
      _exit(code);
    }
    close(ends[1]);
    reports_ = ends[0];
  }
  ~Child() {
    if (pid_ > 0) kill_and_wait();
    close(reports_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Waits for a report; false when the child has ended without one.
  bool report() {
    char byte = 0;
    return read(reports_, &byte, 1) == 1;
  }

  void kill_and_wait() {
    kill(pid_, SIGKILL);
    wait_for();
  }

  int wait_for() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  int reports_ = -1;
};

void report_to(int descriptor) {
  if (write(descriptor, "+", 1) != 1) _exit(1);
}

/// Saves numbered batches for ever and reports each one once it is committed.
Child saving_child(const SqliteDatabase& database, std::int64_t from = 0) {
  return Child([&database, from](int reports) {
    const auto store = open_sqlite(database.options());
    for (std::int64_t n = from;; ++n) {
      if (store->save(numbered_batch(n)).value() != SaveOutcome::saved) return 1;
      report_to(reports);
    }
    return 0;
  });
}

TEST(Sqlite, AStoreInMemoryIsRefused) {
  for (const std::string path : {":memory:", "", "file::memory:?cache=shared"}) {
    EXPECT_NE(startup_error(path).find("give the SQLite store the path of a file"), std::string::npos)
        << path;
  }
}

TEST(Sqlite, AFolderThatIsMissingIsAStartupError) {
  TempFolder folder;
  EXPECT_NE(startup_error(folder.file("nowhere/store.db")).find("create its folder"), std::string::npos);
}

TEST(Sqlite, AFolderInTheFilesPlaceIsAStartupError) {
  TempFolder folder;
  std::filesystem::create_directory(folder.file("store.db"));
  EXPECT_NE(startup_error(folder.file("store.db")).find("choose another path"), std::string::npos);
}

TEST(Sqlite, AFileOfAnotherKindIsRefusedAndLeftAlone) {
  TempFolder folder;
  const std::string path = folder.file("store.db");
  const std::string text(8'192, 'x');
  std::ofstream(path) << text;
  EXPECT_NE(startup_error(path).find("choose a path"), std::string::npos);
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

TEST(Sqlite, AFileInUseByAnotherProcessIsRefusedUntilThatEnds) {
  SqliteDatabase database;
  Child other([&](int reports) {
    const auto store = open_sqlite(database.options());
    report_to(reports);
    pause();
    return 0;
  });
  ASSERT_TRUE(other.report());
  EXPECT_NE(startup_error(database.path()).find("in use by another seonchak"), std::string::npos);
  other.kill_and_wait();
  EXPECT_EQ(startup_error(database.path()), "");
}

TEST(Sqlite, ALinkToAFileInUseIsRefused) {
  SqliteDatabase database;
  TempFolder folder;
  const auto store = database.open();
  std::filesystem::create_symlink(database.path(), folder.file("link.db"));
  EXPECT_NE(startup_error(folder.file("link.db")).find("in use by another seonchak"), std::string::npos);
}

TEST(Sqlite, AProgramThatHoldsTheFileMakesWritesUnavailableAndReadsNot) {
  SqliteDatabase database;
  SqliteOptions options = database.options();
  options.busy_timeout_ms = 50;
  const auto store = open_sqlite(options);
  ASSERT_TRUE(store->create_coupon(coupon_named("a")));
  SqliteConnection other(database.path(), options.busy_timeout_ms);
  ASSERT_TRUE(other.script("BEGIN IMMEDIATE"));
  EXPECT_EQ(store->save(numbered_batch(0)).error().code, Errc::unavailable);
  EXPECT_EQ(store->create_coupon(coupon_named("b")).error().code, Errc::unavailable);
  EXPECT_TRUE(store->coupon("a"));
  ASSERT_TRUE(other.script("ROLLBACK"));
  EXPECT_EQ(store->save(numbered_batch(0)).value(), SaveOutcome::saved);
}

TEST(Sqlite, AFullDiskIsUnavailableAndHeals) {
  SqliteDatabase database;
  Child child([&](int) {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto store = open_sqlite(database.options());
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t enough = limit.rlim_cur;
    limit.rlim_cur = 256 * 1024;
    setrlimit(RLIMIT_FSIZE, &limit);
    std::int64_t saved = 0;
    for (;; ++saved) {
      const auto outcome = store->save(numbered_batch(saved));
      if (outcome) continue;
      if (outcome.error().code != Errc::unavailable) return 2;
      break;
    }
    if (saved == 0 || batches_in(*store) != saved) return 3;
    limit.rlim_cur = enough;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (!store->save(numbered_batch(saved)) || batches_in(*store) != saved + 1) return 4;
    return testing::Test::HasFailure() ? 5 : 0;
  });
  EXPECT_EQ(child.wait_for(), 0);
}

TEST(Sqlite, AProcessKilledAmidSavesLosesNoneThatItReported) {
  SqliteDatabase database;
  std::int64_t reported = 0;
  for (int life = 0; life < 4; ++life) {
    Child child = saving_child(database, reported);
    for (int i = 0; i < 10 + 7 * life; ++i, ++reported) ASSERT_TRUE(child.report());
    child.kill_and_wait();
    while (child.report()) ++reported;
    const auto store = database.open();
    const std::int64_t present = batches_in(*store);
    // It may have died between a commit and its report.
    EXPECT_GE(present, reported);
    EXPECT_LE(present, reported + 1);
    reported = present;
  }
}

TEST(Sqlite, ATornLogTailCostsOnlyTheBatchesItHeld) {
  SqliteDatabase database;
  std::int64_t reported = 0;
  {
    Child child = saving_child(database);
    for (; reported < 12; ++reported) ASSERT_TRUE(child.report());
    child.kill_and_wait();
    while (child.report()) ++reported;
  }
  const auto log_bytes = std::filesystem::file_size(database.path() + "-wal");
  ASSERT_GT(log_bytes, 0U);
  std::int64_t fewest = reported + 1;
  for (int part = 0; part <= 8; ++part) {
    SqliteDatabase torn;
    std::filesystem::copy_file(database.path(), torn.path());
    std::filesystem::copy_file(database.path() + "-wal", torn.path() + "-wal");
    // Not a multiple of a page: the last frame is cut in its middle.
    const auto kept = log_bytes - part * (log_bytes / 32) - (part > 0 ? 1 : 0);
    std::filesystem::resize_file(torn.path() + "-wal", kept);
    const auto store = torn.open();
    const std::int64_t present = batches_in(*store);
    if (part == 0) {
      EXPECT_GE(present, reported);
    }
    EXPECT_LE(present, fewest);
    fewest = std::min(fewest, present);
    EXPECT_EQ(store->save(numbered_batch(present)).value(), SaveOutcome::saved);
  }
  EXPECT_LT(fewest, reported);
}

}  // namespace
}  // namespace seonchak
