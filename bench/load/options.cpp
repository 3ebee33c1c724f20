#include "options.hpp"

#include <cstdlib>

#include <CLI/CLI.hpp>

namespace load {

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Sends HTTP requests over kept-alive connections and prints one line of JSON about the answers."};
  app.add_option("--port", options.port, "port to connect to")->required();
  app.add_option("--host", options.host, "IPv4 address to connect to");
  app.add_option("--method", options.method, "GET, POST");
  app.add_option("--path", options.path, "target; {coupon} and {user} are replaced");
  app.add_option("--header", options.headers, "a header line, repeatable; {coupon} and {user} are replaced");
  app.add_option("--coupons", options.coupons, "{coupon} is 0 to this less one, in turns")
      ->check(CLI::PositiveNumber);
  app.add_option("--first-user", options.first_user, "number of the first {user}");
  app.add_option("--connections", options.connections, "open connections, one request in flight on each")
      ->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds, "stop sending after this long")->check(CLI::NonNegativeNumber);
  app.add_option("--requests", options.requests, "stop sending after this many");
  app.add_option("--rate", options.rate, "requests a second, on time whatever the answers take (open loop)")
      ->check(CLI::NonNegativeNumber);
  app.add_flag(
      "--in-steps", options.in_steps,
      "print \"connected\" and wait for a line before the first request; keep the connections until standard "
      "input ends");
  try {
    app.parse(argc, argv);
    if (options.seconds == 0 && options.requests == 0) {
      throw CLI::ValidationError("--seconds or --requests", "one of them must bound the run");
    }
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));  // NOLINT(concurrency-mt-unsafe): no thread is there yet
  }
  return options;
}

}  // namespace load
