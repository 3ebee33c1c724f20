#include "base/log_limit.hpp"

#include "base/ticker.hpp"

namespace seonchak {

std::optional<std::size_t> LogLimit::line(std::string_view key) {
  const auto time = ticker().now();
  auto found = kinds_.find(key);
  if (found == kinds_.end()) {
    const bool room = kinds_.size() < keys_max;
    found = kinds_.try_emplace(room ? std::string(key) : "others").first;
  }
  Kind& kind = found->second;
  if (time < kind.next) {
    ++kind.left_out;
    return std::nullopt;
  }
  kind.next = time + interval;
  return std::exchange(kind.left_out, 0);
}

std::vector<std::pair<std::string, std::size_t>> LogLimit::left_out() {
  std::vector<std::pair<std::string, std::size_t>> found;
  if (kinds_.empty()) return found;
  const auto time = ticker().now();
  for (auto kind = kinds_.begin(); kind != kinds_.end();) {
    auto& [next, left_out] = kind->second;
    if (time < next) {
      ++kind;
    } else if (left_out == 0) {
      kind = kinds_.erase(kind);
    } else {
      next = time + interval;
      found.emplace_back(kind->first, std::exchange(left_out, 0));
      ++kind;
    }
  }
  return found;
}

std::string kind_of_reason(std::string_view reason) {
  std::string kind;
  for (const char letter : reason.substr(0, reason.find(':'))) {
    const bool digit = letter >= '0' && letter <= '9';
    if (!digit || kind.empty() || kind.back() != '#') kind += digit ? '#' : letter;
  }
  return kind;
}

}  // namespace seonchak
