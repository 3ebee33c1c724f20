#include "gate/redis/options.hpp"

#include <charconv>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/error.hpp"

namespace seonchak {

namespace {

constexpr std::int64_t database_max = 1'000'000;
constexpr std::uint16_t server_port = 6379;
constexpr std::uint16_t sentinel_port = 26379;
constexpr std::size_t sentinels_max = 16;
constexpr std::string_view sentinel_scheme = "redis+sentinel://";

[[noreturn]] void reject(const std::string& reason) {
  throw StartupError("the Redis URL " + reason +
                     "; write redis://[user:password@]host[:port][/database], rediss:// for TLS, or "
                     "redis+sentinel://host[:port],host[:port]/master");
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

RedisAddress parse_one_host(std::string_view url_text, std::uint16_t default_port) {
  const auto parsed = boost::urls::parse_uri({url_text.data(), url_text.size()});
  if (!parsed) reject("is not a URL");
  const boost::urls::url_view& url = *parsed;

  RedisAddress address;
  const std::string_view scheme(url.scheme().data(), url.scheme().size());
  if (scheme != "redis" && scheme != "rediss") reject("must start with redis:// or rediss://");
  address.tls = scheme == "rediss";
  address.server = {url.host_address(), default_port};
  if (address.server.host.empty()) reject("names no host");
  address.user = url.user();
  address.password = url.password();
  if (!address.user.empty() && address.password.empty()) reject("has a user but no password");
  if (url.has_port() && !url.port().empty()) {
    address.server.port = url.port_number();
    if (address.server.port == 0) reject("has a port that is not 1 to 65535");
  }
  const std::string path(url.encoded_path().data(), url.encoded_path().size());
  address.database = parse_database(path);
  if (url.has_query() || url.has_fragment()) reject("has a query or a fragment, which mean nothing here");
  return address;
}

/// Several hosts are no URL by the standard: each is read as one of its own.
RedisAddress parse_sentinels(std::string_view rest) {
  const auto at = rest.rfind('@');
  const std::string_view userinfo = at == std::string_view::npos ? "" : rest.substr(0, at + 1);
  rest.remove_prefix(userinfo.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) reject("names Sentinels, but no master");
  std::string_view hosts = rest.substr(0, slash);
  std::string_view path = rest.substr(slash + 1);

  RedisAddress address = parse_one_host("redis://" + std::string(userinfo) + "host", server_port);
  address.server = {};
  while (!hosts.empty()) {
    const auto comma = hosts.find(',');
    const std::string host(hosts.substr(0, comma));
    address.sentinels.push_back(parse_one_host("redis://" + host, sentinel_port).server);
    hosts.remove_prefix(comma == std::string_view::npos ? hosts.size() : comma + 1);
  }
  if (address.sentinels.empty()) reject("names no Sentinel");
  if (address.sentinels.size() > sentinels_max) reject("names more than 16 Sentinels");
  const auto database = path.find('/');
  address.master = path.substr(0, database);
  if (database != std::string_view::npos) address.database = parse_database(path.substr(database));
  return address;
}

}  // namespace

std::string RedisEndpoint::label() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string RedisAddress::label() const {
  if (sentinels.empty()) return server.label();
  std::string text = "master " + master;
  if (!server.host.empty()) return text + " at " + server.label();
  text += " by Sentinel";
  for (const RedisEndpoint& sentinel : sentinels) text += " " + sentinel.label();
  return text;
}

RedisAddress parse_redis_url(std::string_view url_text) {
  if (url_text.starts_with(sentinel_scheme)) return parse_sentinels(url_text.substr(sentinel_scheme.size()));
  return parse_one_host(url_text, server_port);
}

}  // namespace seonchak
