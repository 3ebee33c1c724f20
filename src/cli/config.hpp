#pragma once
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace seonchak {

enum class Role { api, relay, consumer };

/// What `seonchak serve` was told: by flags, else the environment (SEONCHAK_<FLAG>), else the TOML file, else
/// defaults.
struct ServeConfig {
  std::string listen = "127.0.0.1:8080";
  std::string gate = "memory";
  std::string log = "memory";
  std::string store = "sqlite:seonchak.db";
  std::set<Role> roles = {Role::api, Role::relay, Role::consumer};
  std::string admin_key;
  unsigned threads = 0;  ///< 0: one per core

  std::string log_group = "coupon";
  std::vector<std::pair<std::string, std::string>> log_options;
  int log_partitions = 1;
  bool allow_volatile_gate = false;
  bool gate_fails_over = false;
  int ack_timeout_ms = 5'000;
  std::size_t connections_max = 20'000;
  std::string log_level = "info";

  bool gate_is_memory() const { return gate == "memory"; }
  bool log_is_memory() const { return log == "memory"; }
  bool has(Role role) const { return roles.contains(role); }
};

/// Reads the flags of `seonchak serve`; nothing when --help was printed. Throws StartupError for what cannot
/// be understood, and for a composition that cannot keep the promises (see require_possible).
std::optional<ServeConfig> read_serve_config(int argc, char** argv);

/// What `seonchak audit` was told: the flags of serve, those that matter and those that do not, and two more.
struct AuditConfig {
  ServeConfig serve;
  std::string coupon_id;  ///< "": all
  bool json = false;
};
std::optional<AuditConfig> read_audit_config(int argc, char** argv);

/// What `seonchak dead-letter` was told.
struct DeadLetterConfig {
  enum class Action { list, replay, drop };
  Action action = Action::list;
  ServeConfig serve;      ///< log, log_group and log_options
  std::size_t limit = 0;  ///< 0: none
  bool all = false;
  int partition = -1;
  std::int64_t offset = -1;
  bool json = false;
};
std::optional<DeadLetterConfig> read_dead_letter_config(int argc, char** argv);

/// Throws StartupError, saying what to change, for combinations of gate, log, store and roles that cannot
/// work.
void require_possible(const ServeConfig& config);

/// The URL with its password replaced, for logs: "redis://:***@host:6379/0".
std::string without_password(const std::string& url);

}  // namespace seonchak
