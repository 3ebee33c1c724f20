#include "cli/config.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include <CLI/CLI.hpp>

#include "base/error.hpp"

namespace seonchak {

namespace {

constexpr unsigned threads_max = 256;
constexpr int log_partitions_max = 1'000;
constexpr int letters_limit_max = 1'000'000;

std::string environment_name(const std::string& flag) {
  std::string name = "SEONCHAK_";
  for (const char c : flag)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// Declares --FLAG, the TOML key FLAG and the environment variable SEONCHAK_FLAG as one option.
template <class Value>
CLI::Option* declare(CLI::App& app, const std::string& flag, Value& value, const std::string& help) {
  return app.add_option("--" + flag, value, help)->envname(environment_name(flag));
}

/// CLI11 lets the file win over the environment; operators expect the opposite, so what is set there and not
/// on the command line is parsed as a flag.
std::vector<std::string> with_environment(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::size_t given = arguments.size();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_envname().empty()) continue;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet
    const char* value = std::getenv(option->get_envname().c_str());
    const std::string flag = "--" + option->get_single_name();
    const bool on_command_line =
        std::any_of(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(given),
                    [&flag](const std::string& argument) {
                      return argument == flag || argument.starts_with(flag + "=");
                    });
    if (value != nullptr && *value != '\0' && !on_command_line) arguments.push_back(flag + "=" + value);
  }
  return arguments;
}

std::set<Role> parse_roles(const std::vector<std::string>& names) {
  std::set<Role> roles;
  for (const std::string& name : names) {
    if (name == "api") {
      roles.insert(Role::api);
    } else if (name == "relay") {
      roles.insert(Role::relay);
    } else if (name == "consumer") {
      roles.insert(Role::consumer);
    } else {
      throw StartupError("--roles: unknown role '" + name +
                         "'; use a comma-separated list of api, relay, consumer");
    }
  }
  if (roles.empty())
    throw StartupError("--roles is empty: use a comma-separated list of api, relay, consumer");
  return roles;
}

std::vector<std::pair<std::string, std::string>> parse_log_options(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> options;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw StartupError(
          "--log-option must be property=value, for example --log-option sasl.mechanisms=PLAIN");
    }
    options.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return options;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [text](std::string_view prefix) { return text.starts_with(prefix); });
}

void require_known_schemes(const ServeConfig& config) {
  if (!config.gate_is_memory() &&
      !starts_with_any(config.gate, {"redis://", "rediss://", "redis+sentinel://"})) {
    throw StartupError("--gate " + without_password(config.gate) +
                       ": unknown; use memory, redis://host:port/0, rediss://host:port/0 or "
                       "redis+sentinel://host:port,host:port/master");
  }
  if (!config.log_is_memory() && !starts_with_any(config.log, {"kafka://", "kafka+ssl://"})) {
    throw StartupError("--log " + without_password(config.log) +
                       ": unknown; use memory, or kafka://host:port[,host:port]/coupon-issue");
  }
  if (!starts_with_any(config.store, {"sqlite:", "postgresql://", "postgres://"})) {
    throw StartupError("--store " + without_password(config.store) +
                       ": unknown; use sqlite:PATH or postgresql://user:password@host:port/database");
  }
}

/// The flags of a server, which other commands take, too.
class ServeFlags {
 public:
  void declare_on(CLI::App& app) {
    declare(app, "listen", config_.listen, "Address and port to serve HTTP on")->capture_default_str();
    declare(
        app, "gate", config_.gate,
        "memory | redis://[user:password@]host:port/db | rediss://... | redis+sentinel://h1:p,h2:p/master")
        ->capture_default_str();
    declare(app, "log", config_.log, "memory | kafka://host:port[,host:port]/topic")->capture_default_str();
    declare(app, "store", config_.store, "sqlite:PATH | postgresql://user:password@host:port/database")
        ->capture_default_str();
    declare(app, "roles", roles_, "What this process does: api,relay,consumer")
        ->delimiter(',')
        ->capture_default_str();
    declare(app, "admin-key", config_.admin_key,
            "Bearer key of the admin calls; without it they work on loopback only");
    declare(app, "threads", config_.threads, "HTTP threads; 0: one per core")
        ->check(CLI::Range(0U, threads_max));
    declare(app, "log-group", config_.log_group, "Consumer group")->capture_default_str();
    declare(app, "log-option", log_options_, "Any librdkafka property, as property=value; may be repeated");
    declare(app, "log-partitions", config_.log_partitions, "Partitions of the topic, when it is created")
        ->check(CLI::Range(1, log_partitions_max))
        ->capture_default_str();
    declare(app, "ack-timeout-ms", config_.ack_timeout_ms,
            "How long an answer waits for its coupon's ack stage")
        ->check(CLI::Range(1, 60'000))
        ->capture_default_str();
    declare(app, "connections-max", config_.connections_max, "Open connections, over all threads")
        ->capture_default_str();
    declare(app, "log-level", config_.log_level, "debug | info | warn | error | off")
        ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    app.add_flag("--allow-volatile-gate", config_.allow_volatile_gate,
                 "Accept a Redis without append-only file: its restart loses what is not in the store yet")
        ->envname(environment_name("allow-volatile-gate"));
    app.add_flag(
           "--gate-fails-over", config_.gate_fails_over,
           "Another server may take over the address of --gate while the old one is up (a managed Redis, a "
           "virtual IP); always so with redis+sentinel://")
        ->envname(environment_name("gate-fails-over"));
    app.set_config("--config", "", "TOML file with any of these flags")->envname(environment_name("config"));
    app.allow_config_extras(CLI::config_extras_mode::error);
  }

  /// Once parsed.
  ServeConfig read() {
    config_.roles = parse_roles(roles_);
    config_.log_options = parse_log_options(log_options_);
    return config_;
  }

 private:
  ServeConfig config_;
  std::vector<std::string> roles_ = {"api", "relay", "consumer"};
  std::vector<std::string> log_options_;
};

/// CLI11 speaks of an INI file, whatever the file is.
std::string config_trouble(const CLI::ConfigError& error) {
  static constexpr std::string_view unknown = "INI was not able to parse ";
  const std::string_view text = error.what();
  const bool of_a_name = text.starts_with(unknown);
  return "the file of --config: " +
         (of_a_name ? "no flag is called " + std::string(text.substr(unknown.size())) : std::string(text));
}

/// False when help was asked for.
bool parse(CLI::App& app, int argc, char** argv) {
  try {
    auto arguments = with_environment(app, argc, argv);
    std::ranges::reverse(arguments);  // as App::parse wants them
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return false;
  } catch (const CLI::ConfigError& error) {
    throw StartupError(config_trouble(error));
  } catch (const CLI::ParseError& error) {
    throw StartupError(std::string(error.what()) + " (" + app.get_name() + " --help lists the flags)");
  }
  return true;
}

}  // namespace

std::string without_password(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t authority_end = std::min(url.find_first_of("/?", scheme + 3), url.size());
  const std::size_t at = url.rfind('@', authority_end - 1);
  if (at == std::string::npos || at < scheme + 3) return url;
  const std::size_t colon = url.find(':', scheme + 3);
  if (colon == std::string::npos || colon > at) return url;
  return url.substr(0, colon + 1) + "***" + url.substr(at);
}

void require_possible(const ServeConfig& config) {
  require_known_schemes(config);
  const bool all_roles = config.roles.size() == 3;
  const bool sqlite = config.store.starts_with("sqlite:");
  if (config.gate_is_memory() && !config.log_is_memory()) {
    throw StartupError(
        "--gate memory is rebuilt from the store alone, so it would forget coupons that are still in Kafka: "
        "use --log memory with it, or --gate redis://host:port/0");
  }
  if (config.gate_is_memory() && !sqlite) {
    throw StartupError(
        "--gate memory needs --store sqlite:PATH, which only one process can open; a second process on the "
        "same "
        "PostgreSQL would issue the same stock again: use --gate redis://host:port/0 with it");
  }
  if (all_roles) return;
  if (config.gate_is_memory()) {
    throw StartupError(
        "--roles: the in-memory gate lives in one process, which needs api, relay and consumer; to split "
        "the roles use --gate redis://host:port/0");
  }
  if (config.log_is_memory()) {
    throw StartupError(
        "--roles: the in-memory log can't be shared by processes; to split the roles use "
        "--log kafka://host:port/coupon-issue");
  }
  if (sqlite) {
    throw StartupError(
        "--roles: a SQLite file belongs to one process; to split the roles use "
        "--store postgresql://user:password@host:port/database");
  }
}

std::optional<ServeConfig> read_serve_config(int argc, char** argv) {
  CLI::App app(
      "Runs the coupon server. Every flag is also a key of the --config file and an environment variable, "
      "SEONCHAK_<FLAG> in capitals with _ for -. Flags win over the environment, that over the file.",
      "seonchak serve");
  ServeFlags flags;
  flags.declare_on(app);
  if (!parse(app, argc, argv)) return std::nullopt;
  ServeConfig config = flags.read();
  require_possible(config);
  return config;
}

std::optional<AuditConfig> read_audit_config(int argc, char** argv) {
  CLI::App app(
      "Compares gate, log and store, whether servers run on them or not, and names every breach of a "
      "promise. "
      "Writes nothing. Takes the flags of the servers (and their --config file and environment); those that "
      "say nothing about gate, log and store are ignored. Exits 0 when all is well, 1 with breaches, 2 when "
      "something could not be read.",
      "seonchak audit");
  AuditConfig config;
  ServeFlags flags;
  flags.declare_on(app);
  app.add_option("--coupon", config.coupon_id, "This coupon alone")->configurable(false);
  app.add_flag("--json", config.json, "Print one JSON object")->configurable(false);
  if (!parse(app, argc, argv)) return std::nullopt;
  config.serve = flags.read();
  require_possible(config.serve);
  return config;
}

std::optional<DeadLetterConfig> read_dead_letter_config(int argc, char** argv) {
  CLI::App app(
      "Shows the messages that could not be saved, and gets rid of them: `list` prints those that nobody has "
      "handled, `replay` sends them to the topic again, as they were, `drop` gives them up. The servers' "
      "--config file and environment count here, too. Exits 1 when a letter cannot be replayed or is not "
      "there, 2 when Kafka cannot be used.",
      "seonchak dead-letter");
  DeadLetterConfig config;
  std::string action;
  std::vector<std::string> log_options;
  app.add_option("action", action, "list | replay | drop")
      ->required()
      ->check(CLI::IsMember({"list", "replay", "drop"}))
      ->configurable(false);
  declare(app, "log", config.serve.log, "kafka://host:port[,host:port]/topic: the topic they come from");
  declare(app, "log-group", config.serve.log_group, "Consumer group of the servers")->capture_default_str();
  declare(app, "log-option", log_options, "Any librdkafka property, as property=value; may be repeated");
  app.add_option("--limit", config.limit, "How many letters at most; list: 100 unless given")
      ->check(CLI::Range(1, letters_limit_max))
      ->configurable(false);
  auto* partition = app.add_option("--partition", config.partition, "Of one letter, as list prints it")
                        ->check(CLI::NonNegativeNumber)
                        ->configurable(false);
  auto* offset = app.add_option("--offset", config.offset, "Of one letter, as list prints it")
                     ->check(CLI::NonNegativeNumber)
                     ->configurable(false);
  partition->needs(offset);
  offset->needs(partition);
  app.add_flag("--all", config.all, "Every letter there is when the command starts")
      ->excludes(partition)
      ->configurable(false);
  app.add_flag("--json", config.json, "Print JSON")->configurable(false);
  app.set_config("--config", "", "TOML file of the servers")->envname(environment_name("config"));
  app.allow_config_extras(CLI::config_extras_mode::ignore);
  if (!parse(app, argc, argv)) return std::nullopt;
  using Action = DeadLetterConfig::Action;
  config.action = action == "list" ? Action::list : action == "replay" ? Action::replay : Action::drop;
  config.serve.log_options = parse_log_options(log_options);
  if (config.serve.log_is_memory()) {
    throw StartupError(
        "the in-memory log forgets its dead letters with its process: name a topic with "
        "--log kafka://host:port/coupon-issue");
  }
  require_known_schemes(config.serve);
  if (config.action != Action::list && !config.all && config.offset < 0)
    throw StartupError("which letters? --partition P --offset N names one, --all all of them");
  return config;
}

}  // namespace seonchak
