#include <algorithm>
#include <map>
#include <optional>

#include "base/log.hpp"
#include "gate/redis/client.hpp"
#include "gate/redis/redis.hpp"

namespace seonchak {

namespace {

constexpr std::int64_t server_major_min = 7;

using Settings = std::map<std::string, std::string, std::less<>>;

/// Asks one server about itself.
class Inspection {
 public:
  explicit Inspection(const RedisOptions& options)
      : label_(parse_redis_url(options.url).label()), client_(options) {}

  [[noreturn]] void fail(const std::string& reason) const {
    throw StartupError("Redis at " + label_ + " " + reason);
  }

  /// "name:value" lines of a section of INFO.
  Settings info(std::string_view section) {
    const Reply reply = ask(redis_command({"INFO", section}));
    if (is_error(*reply)) fail("does not allow INFO: " + refusal(*reply).message);
    Settings settings;
    std::string_view text = text_of(*reply).value_or("");
    while (!text.empty()) {
      const auto line = text.substr(0, text.find("\r\n"));
      text.remove_prefix(std::min(text.size(), line.size() + 2));
      const auto colon = line.find(':');
      if (colon != std::string_view::npos) settings.emplace(line.substr(0, colon), line.substr(colon + 1));
    }
    return settings;
  }

  /// The settings that matter, or nothing when the server does not let this user read its configuration.
  std::optional<Settings> config() {
    const Reply reply = ask(redis_command(
        {"CONFIG", "GET", "maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite"}));
    if (is_error(*reply)) return std::nullopt;
    Settings settings;
    for (std::size_t i = 0; i + 1 < size_of(*reply); i += 2) {
      settings.emplace(text_of(element(*reply, i)).value_or(""),
                       text_of(element(*reply, i + 1)).value_or(""));
    }
    return settings;
  }

  const std::string& label() const { return label_; }

 private:
  Reply ask(std::string command) {
    auto reply = client_.call(std::move(command));
    if (!reply) {
      throw StartupError("cannot use " + reply.error().message +
                         "; check the Redis URL and that the server is up");
    }
    return std::move(*reply);
  }

  const std::string label_;
  RedisClient client_;
};

std::string value_of(const Settings& settings, std::string_view name) {
  const auto found = settings.find(name);
  return found == settings.end() ? std::string() : found->second;
}

void require_version(Inspection& server) {
  const Settings info = server.info("server");
  if (!value_of(info, "valkey_version").empty()) return;
  const std::string version = value_of(info, "redis_version");
  const auto major = parse_integer(std::string_view(version).substr(0, version.find('.')));
  if (!major || *major < server_major_min) {
    server.fail("is version " + (version.empty() ? "unknown" : version) +
                ": use Redis 7.0 or later, or Valkey");
  }
}

// One that has all slots serves all coupons; which have which is not asked, since a user may lack the right
// to.
void warn_of_cluster(Inspection& server) {
  if (value_of(server.info("server"), "redis_mode") != "cluster") return;
  log::warn("redis is a node of a cluster: coupons whose slots other nodes have never open",
            {{"server", server.label()}});
}

/// What INFO tells of the same settings, under their names in CONFIG.
Settings settings_from_info(Inspection& server) {
  Settings settings;
  const std::string policy = value_of(server.info("memory"), "maxmemory_policy");
  if (!policy.empty()) settings.emplace("maxmemory-policy", policy);
  const std::string aof = value_of(server.info("persistence"), "aof_enabled");
  if (!aof.empty()) settings.emplace("appendonly", aof == "1" ? "yes" : "no");
  return settings;
}

void require_no_eviction(const Inspection& server, const Settings& settings) {
  const std::string policy = value_of(settings, "maxmemory-policy");
  if (policy.empty()) {
    log::warn("redis does not tell its eviction policy: make sure that maxmemory-policy is noeviction",
              {{"server", server.label()}});
  } else if (policy != "noeviction") {
    server.fail("may evict coupons (maxmemory-policy " + policy + "): set maxmemory-policy noeviction");
  }
}

void require_append_only_file(const Inspection& server, const Settings& settings, bool allow_volatile) {
  const std::string appendonly = value_of(settings, "appendonly");
  if (appendonly.empty()) {
    log::warn("redis does not tell whether it keeps a file: make sure that appendonly is yes",
              {{"server", server.label()}});
    return;
  }
  if (appendonly == "yes") return;
  if (!allow_volatile) {
    server.fail(
        "keeps no append-only file, so a restart forgets who holds a coupon: set appendonly yes, or allow a "
        "volatile gate");
  }
  log::warn(
      "redis keeps no append-only file: a crash loses every coupon that is issued and not yet in the store",
      {{"server", server.label()}});
}

void require_syncing(const Inspection& server, const Settings& settings) {
  if (value_of(settings, "appendonly") == "no") return;
  if (value_of(settings, "no-appendfsync-on-rewrite") == "yes") {
    server.fail("stops syncing its file during rewrites: set no-appendfsync-on-rewrite no");
  }
  const std::string appendfsync = value_of(settings, "appendfsync");
  if (appendfsync == "always") return;
  if (appendfsync.empty()) {
    log::warn(
        "redis does not tell how it syncs its file: make sure that appendfsync is always and "
        "no-appendfsync-on-rewrite is no",
        {{"server", server.label()}});
    return;
  }
  const std::string_view loss = appendfsync == "everysec" ? "up to 2 s" : "up to 30 s or more";
  log::warn(
      "redis does not sync its file on every write: a crash of its machine loses coupons issued just before",
      {{"server", server.label()},
       {"appendfsync", appendfsync},
       {"loss", loss},
       {"advice", "appendfsync always"}});
}

}  // namespace

void require_safe_redis(const RedisOptions& options) {
  Inspection server(options);
  require_version(server);
  warn_of_cluster(server);
  const auto config = server.config();
  const Settings settings = config ? *config : settings_from_info(server);
  require_no_eviction(server, settings);
  require_append_only_file(server, settings, options.allow_volatile);
  require_syncing(server, settings);
}

}  // namespace seonchak
