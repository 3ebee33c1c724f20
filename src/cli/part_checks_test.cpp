#include "cli/part_checks.hpp"

#include <future>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr PartChecksOptions quick{.period = milliseconds(20), .silent_after = milliseconds(200)};
constexpr std::chrono::seconds patience{20};

class PartChecksTest : public ::testing::Test {
 protected:
  ~PartChecksTest() override { checks_.stop(); }

  /// Within our patience, while somebody looks after those who are silent.
  bool comes_to_be(const std::string& name, bool up) {
    const auto until = steady_clock::now() + patience;
    while (steady_clock::now() < until) {
      checks_.note_silent();
      const auto known = health_.dependencies();
      const auto found = known.find(name);
      if (found != known.end() && found->second.up == up) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }

  void add(const std::string& name, const PartChecks::Check& check) {
    checks_.add(name, "check-test", [check] { return check; });
  }

  Health health_;
  PartChecks checks_{health_, quick};
};

TEST_F(PartChecksTest, NotesWhatEachPartSays) {
  std::atomic<bool> well{true};
  add("well", [] { return Result<void>(); });
  add("now and then", [&well]() -> Result<void> {
    if (well) return {};
    return Error{Errc::unavailable, "not now"};
  });
  EXPECT_TRUE(comes_to_be("well", true));
  EXPECT_TRUE(comes_to_be("now and then", true));
  well = false;
  EXPECT_TRUE(comes_to_be("now and then", false));
  EXPECT_EQ(health_.dependencies()["now and then"].detail, "not now");
  EXPECT_TRUE(health_.dependencies()["well"].up);
  checks_.stop();
  checks_.join();
}

TEST_F(PartChecksTest, APartThatHangsIsDownAndDelaysNobody) {
  std::promise<void> released;
  std::atomic<bool> hangs{true};
  std::atomic<int> asked{0};
  add("hung", [&, waits = released.get_future().share()] {
    if (hangs) waits.wait();
    return Result<void>();
  });
  add("well", [&asked] {
    ++asked;
    return Result<void>();
  });
  EXPECT_TRUE(comes_to_be("hung", false));
  const int before = asked;
  EXPECT_TRUE(comes_to_be("well", true));
  const auto until = steady_clock::now() + patience;
  while (asked < before + 3 && steady_clock::now() < until) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_GE(asked, before + 3);
  hangs = false;
  released.set_value();
  EXPECT_TRUE(comes_to_be("hung", true));
  checks_.stop();
  checks_.join();
}

TEST_F(PartChecksTest, AnAnswerAfterTheStopIsNotNoted) {
  std::promise<void> begun;
  std::promise<void> released;
  add("late", [&, waits = released.get_future().share(), first = true]() mutable {
    if (std::exchange(first, false)) begun.set_value();
    waits.wait();
    return Result<void>();
  });
  begun.get_future().wait();
  checks_.stop();
  released.set_value();
  checks_.join();
  EXPECT_TRUE(health_.dependencies().empty());
}

}  // namespace
}  // namespace seonchak
