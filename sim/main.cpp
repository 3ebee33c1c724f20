#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "sim/schedule.hpp"

namespace {

using namespace seonchak;

struct Options {
  std::uint64_t schedules = 1'000;
  std::uint64_t seed = 1;
  std::string bug;
  bool trace = false;
};

void plant([[maybe_unused]] const std::string& bug) {
#ifdef SEONCHAK_FAILPOINTS
  failpoint_name = bug;
#endif
}

void print(const sim::Totals& totals, std::uint64_t schedules, double seconds, std::uint64_t breaches) {
  std::printf("schedules %llu in %.1f s: %.0f a second\n", static_cast<unsigned long long>(schedules),
              seconds, static_cast<double>(schedules) / seconds);
  std::printf("events %llu, promises %llu, recoveries %llu, lost within the documented limit %llu\n",
              static_cast<unsigned long long>(totals.events),
              static_cast<unsigned long long>(totals.promises),
              static_cast<unsigned long long>(totals.recoveries),
              static_cast<unsigned long long>(totals.within_limit));
  for (std::size_t i = 0; i < sim::fault_kinds; ++i) {
    std::printf("  %-26s %llu\n", std::string(sim::to_string(static_cast<sim::FaultKind>(i))).c_str(),
                static_cast<unsigned long long>(totals.faults[i]));
  }
  std::printf("breaches %llu\n", static_cast<unsigned long long>(breaches));
}

// Stops at the first breach.
bool play(const std::string& program, const Options& options, sim::Totals& totals, std::uint64_t& played) {
  for (; played < options.schedules; ++played) {
    const std::uint64_t seed = options.seed + played;
    sim::Schedule schedule(seed, totals, options.trace);
    const auto wrong = schedule.play();
    if (wrong.empty()) continue;
    ++played;
    std::printf("breach in schedule %llu:\n", static_cast<unsigned long long>(seed));
    for (const std::string& line : wrong) std::printf("  %s\n", line.c_str());
    std::printf("replay: %s --schedules 1 --seed %llu%s --trace\n", program.c_str(),
                static_cast<unsigned long long>(seed),
                options.bug.empty() ? "" : (" --bug " + options.bug).c_str());
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Plays seeded schedules of the whole chain in virtual time, and checks that every promise is kept.");
  app.add_option("--schedules", options.schedules, "How many, from the seed on")->capture_default_str();
  app.add_option("--seed", options.seed, "The seed of the first")->capture_default_str();
  app.add_option("--bug", options.bug,
                 "A mistake to make (docs/simulation.md); needs the build named failpoints");
  app.add_flag("--trace", options.trace, "Print every call");
  CLI11_PARSE(app, argc, argv);
#ifndef SEONCHAK_FAILPOINTS
  if (!options.bug.empty()) {
    std::fputs("this build has no failpoints: cmake --preset failpoints\n", stderr);
    return 2;
  }
#endif
  plant(options.bug);
  seonchak::log::set_level(options.trace ? "debug" : "off");

  sim::Totals totals;
  std::uint64_t played = 0;
  const auto began = std::chrono::steady_clock::now();
  const bool clean = play(argv[0], options, totals, played);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  print(totals, played, seconds, clean ? 0 : 1);
  return clean ? 0 : 1;
}
