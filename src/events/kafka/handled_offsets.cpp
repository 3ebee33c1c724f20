#include "events/kafka/handled_offsets.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

namespace seonchak {

namespace {

/// A number from the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 1) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<HandledOffsets> HandledOffsets::parse(std::int64_t next, std::string_view text) {
  HandledOffsets handled(next);
  while (!text.empty()) {
    const auto first = take_number(text);
    if (!first) return std::nullopt;
    auto last = first;
    if (take(text, '-')) last = take_number(text);
    if (!last || *last < *first || *last >= std::numeric_limits<std::int64_t>::max() - next)
      return std::nullopt;
    const auto previous = handled.ranges_.empty() ? next : std::prev(handled.ranges_.end())->second;
    if (next + *first <= previous) return std::nullopt;
    handled.ranges_.emplace(next + *first, next + *last);
    if (!text.empty() && (!take(text, ',') || text.empty())) return std::nullopt;
  }
  return handled;
}

bool HandledOffsets::contains(std::int64_t offset) const {
  if (offset < next_) return true;
  const auto above = ranges_.upper_bound(offset);
  return above != ranges_.begin() && std::prev(above)->second >= offset;
}

void HandledOffsets::add(std::int64_t offset) {
  if (contains(offset)) return;
  ranges_.emplace(offset, offset);
  merge();
}

void HandledOffsets::skip_to(std::int64_t offset) {
  next_ = std::max(next_, offset);
  merge();
}

std::string HandledOffsets::text() const {
  std::string text;
  for (const auto& [first, last] : ranges_) {
    if (!text.empty()) text += ',';
    text += std::to_string(first - next_);
    if (last > first) text += '-' + std::to_string(last - next_);
  }
  return text;
}

void HandledOffsets::merge() {
  for (auto range = ranges_.begin(); range != ranges_.end();) {
    if (range->first <= next_) {
      next_ = std::max(next_, range->second + 1);
      range = ranges_.erase(range);
      continue;
    }
    const auto following = std::next(range);
    if (following != ranges_.end() && following->first <= range->second + 1) {
      range->second = std::max(range->second, following->second);
      ranges_.erase(following);
    } else {
      ++range;
    }
  }
}

}  // namespace seonchak
