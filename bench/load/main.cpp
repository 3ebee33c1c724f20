// seonchak-load: how many requests a second a server answers, and how long each takes.

#include <cstdio>
#include <exception>
#include <string>

#include <sys/resource.h>

#include "generator.hpp"
#include "options.hpp"
#include "socket.hpp"

namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Returns at the end of the input, too.
void wait_for_line() {
  for (int letter = 0; letter != EOF && letter != '\n';) letter = std::getchar();
}

std::string statuses_json(const load::Report& report) {
  std::string text;
  for (std::size_t status = 0; status < report.statuses.size(); ++status) {
    if (report.statuses[status] == 0) continue;
    if (!text.empty()) text += ",";
    text += "\"" + std::to_string(status) + "\":" + std::to_string(report.statuses[status]);
  }
  return "{" + text + "}";
}

void print(const load::Report& report, double cpu_s) {
  const double seconds = static_cast<double>(report.elapsed_ns) / 1e9;
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("{\"requests\":%llu,\"answers\":%llu,\"seconds\":%.6f,\"rate\":%.1f,\"statuses\":%s,",
              number(report.sent), number(report.answered), seconds,
              seconds > 0 ? static_cast<double>(report.answered) / seconds : 0.0,
              statuses_json(report).c_str());
  std::printf("\"errors\":{\"broken\":%llu,\"unanswered\":%llu,\"unsent\":%llu},\"late\":%llu,",
              number(report.broken), number(report.unanswered), number(report.unsent), number(report.late));
  const auto at = [&](double quantile) { return static_cast<double>(report.latency.at(quantile)) / 1e3; };
  std::printf("\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f},", at(0.5),
              at(0.9), at(0.99), at(0.999), static_cast<double>(report.latency.max()) / 1e3);
  std::printf("\"cpu_s\":%.3f}\n", cpu_s);
}

}  // namespace

int main(int argc, char** argv) {
  const load::Options options = load::parse_options(argc, argv);
  try {
    load::raise_file_limit();
    load::Generator generator(options);
    if (options.in_steps) {
      std::puts("connected");
      std::fflush(stdout);
      wait_for_line();
    }
    const double before = cpu_seconds();
    const load::Report report = generator.run();
    print(report, cpu_seconds() - before);
    std::fflush(stdout);
    if (options.in_steps) wait_for_line();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seonchak-load: %s\n", error.what());
    return 1;
  }
}
