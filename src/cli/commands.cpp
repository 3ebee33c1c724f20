#include "cli/commands.hpp"

#include <cstdio>
#include <string_view>

#include "base/error.hpp"

namespace seonchak {

namespace {

constexpr std::string_view usage =
    "seonchak " SEONCHAK_VERSION
    ": a first-come-first-served coupon server\n"
    "\n"
    "  seonchak serve [flags]                 run the server (seonchak serve --help)\n"
    "  seonchak coupon create|list|show|set|close [flags]\n"
    "                                         talk to a running server (seonchak coupon --help)\n"
    "  seonchak audit [flags]                 compare gate, log and store (seonchak audit --help)\n"
    "  seonchak dead-letter list|replay|drop [flags]\n"
    "                                         what could not be saved (seonchak dead-letter --help)\n"
    "  seonchak version                       print the version\n";

void print(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace

int run_command(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  try {
    if (command == "serve") return serve_command(argc - 1, argv + 1);
    if (command == "coupon") return coupon_command(argc - 1, argv + 1);
    if (command == "audit") return audit_command(argc - 1, argv + 1);
    if (command == "dead-letter") return dead_letter_command(argc - 1, argv + 1);
  } catch (const StartupError& error) {
    print(stderr, std::string("seonchak: ") + error.what() + '\n');
    return exit_usage;
  }
  if (command == "version" || command == "--version") {
    print(stdout, "seonchak " SEONCHAK_VERSION "\n");
    return exit_ok;
  }
  if (command == "help" || command == "--help" || command == "-h") {
    print(stdout, usage);
    return exit_ok;
  }
  print(stderr, usage);
  return exit_usage;
}

}  // namespace seonchak
