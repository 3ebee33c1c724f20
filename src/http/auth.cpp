#include "http/auth.hpp"

#include <boost/beast/core/string.hpp>
#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace seonchak {

namespace {

constexpr std::string_view scheme = "Bearer ";

Problem unauthorized(std::string detail) {
  return {ProblemCode::unauthorized,
          std::move(detail),
          {},
          {},
          "WWW-Authenticate: Bearer realm=\"seonchak\"\r\n"};
}

/// The key of "Bearer KEY"; the scheme's name is case-insensitive (RFC 9110, section 11.1).
std::optional<std::string_view> bearer_key(std::string_view value) {
  if (value.size() <= scheme.size()) return std::nullopt;
  const std::string_view given = value.substr(0, scheme.size());
  if (!boost::beast::iequals({given.data(), given.size()}, {scheme.data(), scheme.size()}))
    return std::nullopt;
  value.remove_prefix(scheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

/// A page from elsewhere that a browser on this machine has open names itself in Origin.
bool from_another_site(const Request& request) {
  if (request.origin.empty()) return false;
  const auto host = request.origin.find("://");
  return host == std::string::npos || request.origin.substr(host + 3) != request.host;
}

/// A name that the attacker's DNS points at this machine is no name of this machine.
bool names_this_machine(std::string_view host) {
  if (host.starts_with('[')) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  return host.empty() || host.starts_with("127.") ||
         boost::beast::iequals({host.data(), host.size()}, "localhost");
}

}  // namespace

Auth::Auth(std::string_view admin_key, bool loopback)
    : has_key_(!admin_key.empty()), loopback_(loopback), key_digest_(digest(admin_key)) {}

/// Comparing digests hides the key's length too.
Auth::Digest Auth::digest(std::string_view text) {
  static_assert(std::tuple_size_v<Digest> == SHA256_DIGEST_LENGTH);
  Digest result{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), result.data());
  return result;
}

std::optional<Problem> Auth::refuse(const Request& request) const {
  if (!has_key_) return refuse_without_key(request);
  const auto key = bearer_key(request.authorization);
  if (!key || request.authorizations != 1) {
    return unauthorized("Send the administrator's key as \"Authorization: Bearer KEY\".");
  }
  const Digest given = digest(*key);
  if (CRYPTO_memcmp(given.data(), key_digest_.data(), given.size()) == 0) return std::nullopt;
  return unauthorized("This is not the administrator's key.");
}

std::optional<Problem> Auth::refuse_without_key(const Request& request) const {
  if (!loopback_) {
    return unauthorized(
        "No administrator's key is set: start the server with --admin-key, or listen on a loopback address.");
  }
  if (from_another_site(request) || !names_this_machine(request.host)) {
    return unauthorized(
        "Without an administrator's key, only calls made from this machine to localhost are allowed.");
  }
  return std::nullopt;
}

}  // namespace seonchak
