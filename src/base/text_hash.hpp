#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace seonchak {

/// Lets a map of strings be searched with a string_view, without making a string of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

}  // namespace seonchak
