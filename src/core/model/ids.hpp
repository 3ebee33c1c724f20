#pragma once
#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace seonchak {

/// Whole numbers of one meaning. They are compared, counted on and measured against their own kind only:
/// another kind doesn't become one, nor does an int64_t, which may be anything, unless that is written down.
/// An int (in practice a literal) does.
template <class Meaning>
class Id {
 public:
  constexpr Id() = default;
  template <std::same_as<int> Literal>
  constexpr Id(Literal value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  explicit constexpr Id(std::int64_t value) : value_(value) {}

  constexpr std::int64_t value() const { return value_; }

  friend constexpr auto operator<=>(Id, Id) = default;

  friend constexpr Id operator+(Id id, std::int64_t count) { return Id(id.value_ + count); }
  friend constexpr Id operator-(Id id, std::int64_t count) { return Id(id.value_ - count); }
  friend constexpr std::int64_t operator-(Id a, Id b) { return a.value_ - b.value_; }
  constexpr Id& operator++() { return *this += 1; }
  constexpr Id& operator+=(std::int64_t count) {
    value_ += count;
    return *this;
  }

  constexpr Id& operator-=(std::int64_t count) { return *this += -count; }

  friend std::ostream& operator<<(std::ostream& out, Id id) { return out << id.value_; }

 private:
  std::int64_t value_ = 0;
};

/// The place of an issued coupon among all of its coupon in one epoch: 1, 2, 3, …; 0 before the first. Also a
/// watermark: everything up to it.
using Sequence = Id<struct SequenceMeaning>;

/// The life of a gate's state: 1 for the first, one more with each recovery; 0: none.
using Epoch = Id<struct EpochMeaning>;

/// Of a coupon's row, in the order of changes across the whole store.
using Revision = Id<struct RevisionMeaning>;

/// Of what a gate is configured with: core/model/gate_config.hpp says how it follows from the row's.
using GateRevision = Id<struct GateRevisionMeaning>;

template <class Meaning>
std::string to_string(Id<Meaning> id) {
  return std::to_string(id.value());
}

}  // namespace seonchak

template <class Meaning>
struct std::hash<seonchak::Id<Meaning>> {
  std::size_t operator()(seonchak::Id<Meaning> id) const noexcept {
    return std::hash<std::int64_t>()(id.value());
  }
};
