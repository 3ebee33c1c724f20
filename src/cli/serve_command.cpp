#include <cstdlib>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/stop_deadline.hpp"
#include "base/stray_output.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/process.hpp"
#include "cli/stop_signals.hpp"
#include "http/listen.hpp"

namespace seonchak {

namespace {

/// Without this a descriptor below 3 that the program was started without could become that of a database or
/// of a connection, and log lines would go there.
void open_standard_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    // The lowest free number is given, and those below it are open by now.
    if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
      throw StartupError("cannot open /dev/null for a standard stream that is closed");
  }
}

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

std::string admin_access(const ServeConfig& config, bool loopback) {
  if (!config.admin_key.empty()) return "key";
  return loopback ? "loopback only, no key" : "off: no --admin-key, and no loopback address";
}

void serve(const ServeConfig& config, StopSignals& signals, const std::shared_ptr<StopDeadline>& stop) {
  // Before the database is migrated: that can't be taken back.
  const auto endpoint = resolve_listen(config.listen);
  if (endpoint.port() != 0) require_free(endpoint);
  Process process(config, stop);
  process.start();
  signals.ready();
  log::info("seonchak is ready", {{"url", "http://" + process.address()},
                                  {"gate", without_password(config.gate)},
                                  {"log", without_password(config.log)},
                                  {"store", without_password(config.store)},
                                  {"roles", role_names(config)},
                                  {"admin", admin_access(config, endpoint.address().is_loopback())},
                                  {"version", SEONCHAK_VERSION}});
  signals.wait();
  process.shut_down();
  log::info("stopped");
}

}  // namespace

int serve_command(int argc, char** argv) {
  open_standard_streams();
  const auto config = read_serve_config(argc, argv);
  if (!config) return exit_ok;
  log::set_level(config->log_level);
  const StrayOutput stray_output;
  const auto stop = std::make_shared<StopDeadline>();
  StopSignals signals(stop);
  try {
    serve(*config, signals, stop);
  } catch (const StartupError&) {
    if (!signals.asked()) throw;
    log::info("stopped before it was ready");
  }
  // A library's end must not meet a thread that still uses it.
  if (stop->any_loose()) std::_Exit(exit_ok);
  return exit_ok;
}

}  // namespace seonchak
