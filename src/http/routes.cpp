#include "http/routes.hpp"

#include <algorithm>

#include "http/handlers.hpp"
#include "http/query.hpp"

namespace seonchak {

namespace {

using boost::beast::http::verb;

constexpr std::string_view placeholder = "{id}";
constexpr std::string_view api_prefix = "/v1/";

constexpr std::array routes = {
    Route{verb::post, "/v1/coupons/{id}/issue", Access::everyone, AnswersLater{issue_coupon}},
    Route{verb::get, "/v1/coupons/{id}", Access::everyone, Blocks{show_coupon, Pool::readers}},
    Route{verb::patch, "/v1/coupons/{id}", Access::administrators, Blocks{change_coupon, Pool::changes}},
    Route{verb::post, "/v1/coupons/{id}/close", Access::administrators, Blocks{close_coupon, Pool::changes}},
    Route{verb::get, "/v1/coupons", Access::administrators, Blocks{list_coupons}},
    Route{verb::post, "/v1/coupons", Access::administrators, Blocks{create_coupon}},
    Route{verb::get, "/v1/users/{id}/coupons", Access::everyone, Blocks{show_user_coupons, Pool::readers}},
    Route{verb::get, "/healthz", Access::everyone, AnswersAtOnce{show_health}},
    Route{verb::get, "/readyz", Access::everyone, AnswersAtOnce{show_readiness}},
    Route{verb::get, "/metrics", Access::everyone, AnswersAtOnce{show_metrics}},
};

bool is_api(const Route& route) {
  return route.pattern.starts_with(api_prefix);
}

}  // namespace

std::span<const Route> all_routes() {
  return routes;
}

Router::Router(bool serve_api) : serve_api_(serve_api) {
  for (const Route& route : routes) {
    if (!serve_api && is_api(route)) continue;
    auto known = std::ranges::find(classes_, route.pattern);
    if (known == classes_.end()) known = classes_.insert(known, route.pattern);
    entries_.push_back({route, *split(route.pattern), static_cast<std::size_t>(known - classes_.begin())});
  }
  classes_.emplace_back("other");
}

/// Nothing for a path that no pattern can match.
std::optional<Router::Segments> Router::split(std::string_view path) {
  Segments segments;
  if (!path.starts_with('/')) return std::nullopt;
  while (!path.empty()) {
    path.remove_prefix(1);
    if (segments.count == segments_max) return std::nullopt;
    segments.at[segments.count] = path.substr(0, path.find('/'));
    path.remove_prefix(segments.at[segments.count].size());
    ++segments.count;
  }
  return segments;
}

/// After splitting, so that an encoded slash is part of a name. False for a malformed escape.
bool Router::decode(Segments& segments, std::string& scratch) {
  std::array<std::size_t, segments_max> sizes{};
  scratch.clear();
  for (std::size_t i = 0; i < segments.count; ++i) {
    const auto decoded = percent_decode(segments.at[i]);
    if (!decoded) return false;
    scratch += *decoded;
    sizes[i] = decoded->size();
  }
  std::string_view rest = scratch;
  for (std::size_t i = 0; i < segments.count; ++i) {
    segments.at[i] = rest.substr(0, sizes[i]);
    rest.remove_prefix(sizes[i]);
  }
  return true;
}

bool Router::matches(const Segments& pattern, const Segments& path, std::string_view& id) {
  if (pattern.count != path.count) return false;
  for (std::size_t i = 0; i < path.count; ++i) {
    if (pattern.at[i] == placeholder) {
      id = path.at[i];
    } else if (pattern.at[i] != path.at[i]) {
      return false;
    }
  }
  return true;
}

Router::Found Router::find(const Request& request, std::string& scratch) const {
  const std::string_view path = request.path();
  const std::size_t other = classes_.size() - 1;
  if (request.method == verb::unknown) {
    return {.route_class = other,
            .problem = Problem{ProblemCode::not_implemented, "This method is not known here."}};
  }
  auto segments = split(path);
  if (!segments) return not_found(path);
  if (path.find('%') != std::string_view::npos && !decode(*segments, scratch)) {
    return {
        .route_class = other,
        .problem = Problem{ProblemCode::bad_request, "The path has a % that two hex digits do not follow."}};
  }
  const verb method = request.method == verb::head ? verb::get : request.method;
  const Entry* same_path = nullptr;
  for (const Entry& entry : entries_) {
    std::string_view id;
    if (!matches(entry.segments, *segments, id)) continue;
    if (entry.route.method == method) return {&entry.route, entry.route_class, id, std::nullopt};
    same_path = &entry;
  }
  return same_path != nullptr ? wrong_method(*segments, same_path->route_class) : not_found(path);
}

Router::Found Router::not_found(std::string_view path) const {
  Problem problem{ProblemCode::route_not_found, "There is nothing at this path."};
  if (!serve_api_ && path.starts_with(api_prefix)) {
    problem.detail =
        "This process does not serve the API: start it with \"api\" among its --roles, or ask one that does.";
  }
  return {.route_class = classes_.size() - 1, .problem = std::move(problem)};
}

Router::Found Router::wrong_method(const Segments& path, std::size_t route_class) const {
  std::string allow;
  for (const Entry& entry : entries_) {
    std::string_view id;
    if (!matches(entry.segments, path, id)) continue;
    const auto name = boost::beast::http::to_string(entry.route.method);
    allow += (allow.empty() ? "" : ", ") + std::string(name.data(), name.size());
    if (entry.route.method == verb::get) allow += ", HEAD";
  }
  Problem problem{ProblemCode::method_not_allowed, "This path takes " + allow + "."};
  problem.headers = "Allow: " + allow + "\r\n";
  return {.route_class = route_class, .problem = std::move(problem)};
}

}  // namespace seonchak
