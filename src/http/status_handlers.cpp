#include <algorithm>

#include "http/handlers.hpp"
#include "http/json_text.hpp"

namespace seonchak {

namespace {

using Dependencies = std::map<std::string, Health::Dependency>;

std::string_view readiness(const Dependencies& dependencies, const std::vector<std::string>& required) {
  const auto is_up = [&](const std::string& name) {
    const auto found = dependencies.find(name);
    return found != dependencies.end() && found->second.up;
  };
  if (!std::ranges::all_of(required, is_up)) return "unavailable";
  const bool all_up = std::ranges::all_of(dependencies, [](const auto& entry) { return entry.second.up; });
  return all_up ? "ready" : "degraded";
}

}  // namespace

Answer show_health(const Call&) {
  return {200, json_type, R"({"status":"ok"})"};
}

Answer show_readiness(const Call& call) {
  const Dependencies known = call.services.health.dependencies();
  const std::string_view status = readiness(known, call.services.required);

  std::map<std::string_view, std::string_view> states;
  for (const std::string& name : call.services.required) states[name] = "unknown";
  for (const auto& [name, dependency] : known) states[name] = dependency.up ? "up" : "down";

  Answer answer{.status = status == "unavailable" ? 503U : 200U, .body = {}};
  answer.body = R"({"status":")" + std::string(status) + R"(","dependencies":{)";
  for (const auto& [name, state] : states) {
    if (answer.body.back() != '{') answer.body += ',';
    append_json_string(answer.body, name);
    answer.body += R"(:{"status":")";
    answer.body += state;
    answer.body += "\"}";
  }
  answer.body += "}}";
  if (answer.status == 503) answer.headers = "Retry-After: 1\r\n";
  return answer;
}

Answer show_metrics(const Call& call) {
  return {200, metrics_type, call.services.metrics.text()};
}

}  // namespace seonchak
