#include "gate/redis_options.hpp"

#include <charconv>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/error.hpp"

namespace seonchak {

namespace {

constexpr std::int64_t database_max = 1'000'000;

[[noreturn]] void reject(const std::string& reason) {
  throw StartupError("the Redis URL " + reason +
                     "; write redis://[user:password@]host[:port][/database], or rediss:// for TLS");
}

std::int64_t parse_database(std::string_view path) {
  if (path.empty() || path == "/") return 0;
  path.remove_prefix(1);
  std::int64_t database = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), database);
  if (error != std::errc{} || end != path.data() + path.size() || database < 0 || database > database_max) {
    reject("has a path that is not a database number");
  }
  return database;
}

}  // namespace

std::string RedisAddress::label() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

RedisAddress parse_redis_url(std::string_view url_text) {
  const auto parsed = boost::urls::parse_uri({url_text.data(), url_text.size()});
  if (!parsed) reject("is not a URL");
  const boost::urls::url_view& url = *parsed;

  RedisAddress address;
  const std::string_view scheme(url.scheme().data(), url.scheme().size());
  if (scheme != "redis" && scheme != "rediss") reject("must start with redis:// or rediss://");
  address.tls = scheme == "rediss";
  address.host = url.host_address();
  if (address.host.empty()) reject("names no host");
  address.user = url.user();
  address.password = url.password();
  if (!address.user.empty() && address.password.empty()) reject("has a user but no password");
  if (url.has_port() && !url.port().empty()) {
    address.port = url.port_number();
    if (address.port == 0) reject("has a port that is not 1 to 65535");
  }
  const std::string path(url.encoded_path().data(), url.encoded_path().size());
  address.database = parse_database(path);
  if (url.has_query() || url.has_fragment()) reject("has a query or a fragment, which mean nothing here");
  return address;
}

}  // namespace seonchak
