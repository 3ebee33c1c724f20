#pragma once
#include <cstddef>
#include <vector>

#include "core/ports/per_coupon.hpp"
#include "gate/redis/reply.hpp"

namespace seonchak {

/// One answer per coupon from one reply per coupon. `read(i, reply)` returns the Result of the i-th.
template <class T>
PerCoupon<T> read_each(const std::vector<Result<Reply>>& replies, const auto& read) {
  PerCoupon<T> answers;
  answers.reserve(replies.size());
  for (std::size_t i = 0; i < replies.size(); ++i) {
    answers.push_back(replies[i] ? read(i, **replies[i]) : Result<T>(replies[i].error()));
  }
  return answers;
}

}  // namespace seonchak
