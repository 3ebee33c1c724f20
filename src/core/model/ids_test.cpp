#include "core/model/ids.hpp"

#include <sstream>
#include <type_traits>
#include <unordered_set>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

template <class A, class B>
constexpr bool compares = requires(A a, B b) {
  a == b;
};
template <class A, class B>
constexpr bool subtracts = requires(A a, B b) {
  a - b;
};

static_assert(!std::is_constructible_v<Sequence, Epoch>);
static_assert(!std::is_constructible_v<Epoch, Revision>);
static_assert(!std::is_constructible_v<GateRevision, Revision>);
static_assert(!std::is_assignable_v<Revision&, GateRevision>);
static_assert(!compares<Sequence, Epoch> && !compares<Revision, GateRevision>);
static_assert(!subtracts<Sequence, Epoch>);

static_assert(!std::is_convertible_v<std::int64_t, Sequence>, "an int64_t may be anything");
static_assert(!std::is_convertible_v<Sequence, std::int64_t>);
static_assert(!compares<Sequence, std::int64_t>);
static_assert(std::is_convertible_v<int, Sequence>, "a literal");

static_assert(std::is_same_v<decltype(Sequence(7) - Sequence(3)), std::int64_t>, "a distance is a count");
static_assert(Sequence(7) - Sequence(3) == 4 && Sequence(7) - 3 == Sequence(4) && Sequence(7) + 3 == 10);
static_assert(sizeof(Sequence) == sizeof(std::int64_t) && std::is_trivially_copyable_v<Sequence>);

TEST(Ids, AreOrderedHashedAndWrittenAsNumbers) {
  EXPECT_LT(Epoch(2), Epoch(10));
  const std::unordered_set<Epoch> epochs = {1, 2, 2};
  EXPECT_EQ(epochs.size(), 2U);
  std::ostringstream text;
  text << Revision(9'007'199'254'740'993);
  EXPECT_EQ(text.str(), "9007199254740993");
  EXPECT_EQ(to_string(Revision(9'007'199'254'740'993)), text.str());
}

}  // namespace
}  // namespace seonchak
