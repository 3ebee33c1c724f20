#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/problem.hpp"
#include "http/request.hpp"

namespace seonchak {

/// Who may make administrators' calls: whoever carries the key, or, without a key, whoever reaches a loopback
/// address.
class Auth {
 public:
  /// `admin_key` may be empty.
  Auth(std::string_view admin_key, bool loopback);

  /// The refusal, or nothing when the call is allowed. Takes the same time for every wrong key.
  std::optional<Problem> refuse(const Request& request) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest(std::string_view text);
  std::optional<Problem> refuse_without_key(const Request& request) const;

  const bool has_key_;
  const bool loopback_;
  const Digest key_digest_;
};

}  // namespace seonchak
