#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/beast/http/verb.hpp>

#include "http/exchange.hpp"
#include "http/problem.hpp"

namespace seonchak {

enum class Access { everyone, administrators };

struct AnswersAtOnce {
  Answer (*handler)(const Call&);
};
/// Who waits when the store is slow, or a row is held: each has threads of its own, so that users' reads stop
/// no operator, and changes of coupons whose rows are held no other call of operators.
enum class Pool { operators, changes, readers };
/// Runs in a pool for calls that block. In `changes` the path's {id} is a coupon, which one call at a time
/// changes.
struct Blocks {
  Answer (*handler)(const Call&);
  Pool pool = Pool::operators;
};
struct AnswersLater {
  void (*handler)(Exchange&);
};

/// One line of the table. A HEAD goes to the GET of its path.
struct Route {
  boost::beast::http::verb method;
  std::string_view pattern;  ///< "/v1/coupons/{id}/issue"
  Access access;
  std::variant<AnswersAtOnce, Blocks, AnswersLater> handler;
};

/// Every route; those of the API first.
std::span<const Route> all_routes();

/// Finds the route of a request. Immutable, so any thread may use it.
class Router {
 public:
  /// Without `serve_api` only the paths that tell of the process's own state.
  explicit Router(bool serve_api);

  struct Found {
    const Route* route = nullptr;  ///< null: see `problem`
    std::size_t route_class = 0;   ///< index into classes(), whether found or not
    std::string_view id{};         ///< views the request's target or `scratch`
    std::optional<Problem> problem{};
  };

  /// `scratch` holds decoded parts of the path, for as long as the result is used.
  Found find(const Request& request, std::string& scratch) const;

  /// Names to count requests under: the patterns, and "other".
  std::span<const std::string_view> classes() const { return classes_; }

 private:
  static constexpr std::size_t segments_max = 4;

  struct Segments {
    std::array<std::string_view, segments_max> at;
    std::size_t count = 0;
  };
  struct Entry {
    Route route;
    Segments segments;
    std::size_t route_class = 0;
  };

  static std::optional<Segments> split(std::string_view path);
  static bool decode(Segments& segments, std::string& scratch);
  static bool matches(const Segments& pattern, const Segments& path, std::string_view& id);
  Found not_found(std::string_view path) const;
  Found wrong_method(const Segments& path, std::size_t route_class) const;

  const bool serve_api_;
  std::vector<Entry> entries_;
  std::vector<std::string_view> classes_;
};

}  // namespace seonchak
