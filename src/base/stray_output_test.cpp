#include "base/stray_output.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace seonchak {
namespace {

/// What standard error was led to, as it was read until `until` came, or "".
std::string read_until(int from, std::string_view until) {
  std::string text;
  std::array<char, 512> bytes{};
  while (text.find(until) == std::string::npos) {
    const ssize_t count = read(from, bytes.data(), bytes.size());
    if (count <= 0) return "";
    text.append(bytes.data(), static_cast<std::size_t>(count));
  }
  return text;
}

/// Standard error leads into a pipe that nobody need read.
class StrayOutputTest : public testing::Test {
 protected:
  StrayOutputTest() {
    if (pipe(ends_.data()) != 0) throw std::runtime_error(std::strerror(errno));
    fcntl(ends_[1], F_SETPIPE_SZ, 4'096);
    dup2(ends_[1], STDERR_FILENO);
  }
  ~StrayOutputTest() override {
    dup2(before_, STDERR_FILENO);
    for (const int descriptor : {ends_[0], ends_[1], before_}) close(descriptor);
  }

  std::array<int, 2> ends_{};
  const int before_ = dup(STDERR_FILENO);
};

TEST_F(StrayOutputTest, BecomesLogLinesOneOfAKind) {
  {
    const StrayOutput captured;
    for (int i = 0; i < 3; ++i) std::fprintf(stderr, "WARNING:  number %d\n", i);
    std::fputs("NOTICE:  another", stderr);
    std::fputs(" kind\n", stderr);
  }
  std::fputs("at the end\n", stderr);
  const std::string text = read_until(ends_[0], "at the end\n");
  EXPECT_NE(text.find("warning printed by a library text=\"WARNING:  number 0\""), std::string::npos) << text;
  EXPECT_EQ(text.find("number 1"), std::string::npos) << text;
  EXPECT_NE(text.find("text=\"NOTICE:  another kind\""), std::string::npos) << text;
  EXPECT_NE(text.find("\nat the end\n"), std::string::npos) << "it is the program's own again: " << text;
}

TEST_F(StrayOutputTest, NobodyWaitsForItsReader) {
  const StrayOutput captured;
  // More than the pipe takes, each of another kind.
  for (char kind = 'a'; kind <= 'z'; ++kind) std::fprintf(stderr, "%s\n", std::string(900, kind).c_str());
}

}  // namespace
}  // namespace seonchak
