#include <csignal>

#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/process.hpp"

namespace seonchak {

namespace {

/// SIGINT and SIGTERM, blocked in every thread started after this, so that only wait() sees them.
class StopSignals {
 public:
  StopSignals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  int wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
    return signal;
  }

 private:
  sigset_t signals_{};
};

std::string role_names(const ServeConfig& config) {
  std::string names;
  for (const auto& [role, name] :
       {std::pair{Role::api, "api"}, {Role::relay, "relay"}, {Role::consumer, "consumer"}}) {
    if (!config.has(role)) continue;
    if (!names.empty()) names += ',';
    names += name;
  }
  return names;
}

}  // namespace

int serve_command(int argc, char** argv) {
  const auto config = read_serve_config(argc, argv);
  if (!config) return exit_ok;
  log::set_level(config->log_level);
  const StopSignals signals;

  Process process(*config);
  process.start();
  log::info("seonchak is ready", {{"url", "http://" + process.address()},
                                  {"gate", without_password(config->gate)},
                                  {"log", without_password(config->log)},
                                  {"store", without_password(config->store)},
                                  {"roles", role_names(*config)},
                                  {"admin", config->admin_key.empty() ? "loopback only, no key" : "key"},
                                  {"version", SEONCHAK_VERSION}});
  const int signal = signals.wait();
  log::info("stopping", {{"signal", signal}});
  process.shut_down();
  log::info("stopped");
  return exit_ok;
}

}  // namespace seonchak
