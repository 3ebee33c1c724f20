#include "base/named_thread.hpp"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

TEST(NamedThread, KnowsItsNameFromItsFirstLine) {
  std::array<char, 16> name{};
  named_thread("fifteen letters", [&] {
    pthread_getname_np(pthread_self(), name.data(), name.size());
  }).join();
  EXPECT_EQ(std::string(name.data()), "fifteen letters");
}

}  // namespace
}  // namespace seonchak
