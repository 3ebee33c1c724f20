#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seonchak {

/// Keeps lines that repeat from filling the log: of each key the first one is written, then at most one in
/// `interval`, which says how many were left out. Used from one thread.
class LogLimit {
 public:
  static constexpr std::chrono::seconds interval{10};
  static constexpr std::size_t keys_max = 64;  ///< what comes beyond them shares one key

  /// A line of this kind is due: how many were left out since the last one. Nothing: leave this one out, too.
  std::optional<std::size_t> line(std::string_view key);

  /// The keys of which lines were left out and none was written for `interval`, with their number. To be
  /// called now and then; what is told is forgotten.
  std::vector<std::pair<std::string, std::size_t>> left_out();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Kind {
    TimePoint next{};
    std::size_t left_out = 0;
  };
  std::map<std::string, Kind, std::less<>> kinds_;
};

/// What a reason says apart from its numbers and from what follows its first colon: a key of few values.
std::string kind_of_reason(std::string_view reason);

}  // namespace seonchak
