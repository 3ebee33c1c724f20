#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/times.hpp"

namespace seonchak {

/// How to reach a Redis 7+ or Valkey server, and the limits kept towards it.
struct RedisOptions {
  std::string url;  ///< see parse_redis_url
  std::chrono::milliseconds call_timeout =
      safety_times.gate_call_limit;            ///< an answer that takes longer drops the connection
  std::size_t commands_in_flight_max = 4'096;  ///< per connection; one more fails with `unavailable`
  std::int64_t outbox_sequences_max =
      1'000'000;                ///< issued and not persisted, per coupon; beyond it: outbox_full
  bool allow_volatile = false;  ///< accept a server that keeps nothing on disk
};

struct RedisEndpoint {
  std::string host;  ///< a name, an IPv4 or an IPv6 address without brackets
  std::uint16_t port = 0;

  /// "host:port"
  std::string label() const;
  bool operator==(const RedisEndpoint&) const = default;
};

/// A Redis URL, taken apart.
struct RedisAddress {
  bool tls = false;
  RedisEndpoint server;                  ///< with Sentinels: none, until they have been asked
  std::vector<RedisEndpoint> sentinels;  ///< who know where the master is
  std::string master;                    ///< its name there
  std::string user;                      ///< empty: the default user
  std::string password;                  ///< empty: no AUTH
  std::int64_t database = 0;

  /// "host:port", or who is asked for it; for logs and messages: never the password.
  std::string label() const;
};

/// Reads redis://[user[:password]@]host[:port][/database], or rediss:// for TLS, or
/// redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/database], where user and password
/// are those of the master and its replicas. User and password are percent-decoded. Throws StartupError
/// naming what is wrong; its text holds no part of user or password.
RedisAddress parse_redis_url(std::string_view url_text);

}  // namespace seonchak
