#include "base/line_writer.hpp"

#include <array>
#include <chrono>
#include <csignal>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace seonchak {
namespace {

constexpr std::size_t far_more_than_fits = 50'000;

/// Both ends of a pipe or a socket; the writer's may be closed early.
struct Ends {
  int reader = -1;
  int writer = -1;

  static Ends pipe() {
    std::array<int, 2> made{};
    EXPECT_EQ(::pipe(made.data()), 0);
    return {made[0], made[1]};
  }
  static Ends sockets() {
    std::array<int, 2> made{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, made.data()), 0);
    return {made[0], made[1]};
  }
  void close() const {
    ::close(reader);
    ::close(writer);
  }
  std::string read(std::size_t bytes) const {
    std::string all;
    std::array<char, 4'096> part{};
    while (all.size() < bytes) {
      const auto size = ::read(reader, part.data(), std::min(part.size(), bytes - all.size()));
      if (size <= 0) break;
      all.append(part.data(), static_cast<std::size_t>(size));
    }
    return all;
  }
};

class LineWriterTest : public ::testing::TestWithParam<Ends (*)()> {};

TEST_P(LineWriterTest, WritesWhatFits) {
  const Ends ends = GetParam()();
  LineWriter writer(ends.writer);
  EXPECT_TRUE(writer.write("one\n"));
  EXPECT_TRUE(writer.write("two\n"));
  EXPECT_EQ(ends.read(8), "one\ntwo\n");
  EXPECT_EQ(writer.dropped(), 0U);
  ends.close();
}

TEST_P(LineWriterTest, AReaderWhoDoesNotReadHoldsNobodyUp) {
  const Ends ends = GetParam()();
  LineWriter writer(ends.writer);
  const std::string line(119, 'x');
  const auto began = std::chrono::steady_clock::now();
  std::size_t taken = 0;
  for (std::size_t i = 0; i < far_more_than_fits; ++i) taken += writer.write(line + "\n") ? 1 : 0;
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  EXPECT_GT(taken, 0U);
  EXPECT_EQ(writer.dropped(), far_more_than_fits - taken);
  EXPECT_TRUE(writer.owes_report());

  // The lines that were taken are whole, whoever reads them and when.
  const std::string first = ends.read(taken * 120 - 240);
  EXPECT_TRUE(writer.ready());
  EXPECT_TRUE(writer.write("the last\n"));
  const std::string text = first + ends.read(240 + 9);
  std::string expected;
  for (std::size_t i = 0; i < taken; ++i) expected += line + "\n";
  EXPECT_EQ(text, expected + "the last\n");
  ends.close();
}

TEST_P(LineWriterTest, AReaderWhoIsGoneIsNoError) {
  std::signal(SIGPIPE, SIG_IGN);
  const Ends ends = GetParam()();
  LineWriter writer(ends.writer);
  ::close(ends.reader);
  EXPECT_FALSE(writer.write("nobody hears this\n"));
  EXPECT_EQ(writer.dropped(), 1U);
  ::close(ends.writer);
  std::signal(SIGPIPE, SIG_DFL);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LineWriterTest, ::testing::Values(&Ends::pipe, &Ends::sockets),
                         [](const auto& info) { return info.index == 0 ? "Pipe" : "Socket"; });

}  // namespace
}  // namespace seonchak
