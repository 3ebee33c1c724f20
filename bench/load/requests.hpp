#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace load {

// The bytes of one request after the other. All is laid out ahead; a request only counts up the digits of its
// user.
class Requests {
 public:
  explicit Requests(const Options& options);

  // Valid until the next call.
  std::string_view next();

 private:
  static constexpr std::size_t user_digits = 9;

  struct Template {
    std::string bytes;
    std::vector<std::size_t> users_at;
  };

  void count_user();

  std::vector<Template> templates_;
  std::size_t turn_ = 0;
  std::string user_;
};

}  // namespace load
