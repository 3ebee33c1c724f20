#include "requests.hpp"

#include <cstring>

namespace load {
namespace {

constexpr std::string_view coupon_slot = "{coupon}";
constexpr std::string_view user_slot = "{user}";

void replace_all(std::string& text, std::string_view slot, std::string_view value) {
  for (std::size_t at = 0; (at = text.find(slot, at)) != std::string::npos; at += value.size()) {
    text.replace(at, slot.size(), value);
  }
}

std::string layout(const Options& options) {
  std::string text = options.method + " " + options.path + " HTTP/1.1\r\nHost: " + options.host + "\r\n";
  for (const std::string& header : options.headers) text += header + "\r\n";
  if (options.method != "GET") text += "Content-Length: 0\r\n";
  return text + "\r\n";
}

std::string digits(std::uint64_t number, std::size_t width) {
  std::string text = std::to_string(number);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

}  // namespace

Requests::Requests(const Options& options) : user_(digits(options.first_user, user_digits)) {
  const std::string all = layout(options);
  templates_.resize(options.coupons);
  for (std::size_t coupon = 0; coupon < templates_.size(); ++coupon) {
    auto& [bytes, users_at] = templates_[coupon];
    bytes = all;
    replace_all(bytes, coupon_slot, std::to_string(coupon));
    for (std::size_t at = 0; (at = bytes.find(user_slot, at)) != std::string::npos; at += user_.size()) {
      bytes.replace(at, user_slot.size(), user_);
      users_at.push_back(at);
    }
  }
}

std::string_view Requests::next() {
  auto& [bytes, users_at] = templates_[turn_];
  for (const std::size_t at : users_at) std::memcpy(bytes.data() + at, user_.data(), user_.size());
  count_user();
  if (++turn_ == templates_.size()) turn_ = 0;
  return bytes;
}

void Requests::count_user() {
  for (std::size_t at = user_.size(); at-- > 0;) {
    if (user_[at] != '9') {
      ++user_[at];
      return;
    }
    user_[at] = '0';
  }
}

}  // namespace load
