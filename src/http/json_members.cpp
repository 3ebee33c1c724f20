#include "http/json_members.hpp"

#include <limits>

#include <boost/json/basic_parser_impl.hpp>

namespace seonchak {

namespace {

constexpr std::size_t nesting_levels_max = 8;

/// The events of Boost.JSON's parser, kept where they belong to a member of the outermost object.
class Collector {
 public:
  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;

  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  std::vector<JsonMember> members;
  bool is_object = false;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    if (depth_ == 0) is_object = true;
    return open();
  }
  bool on_object_end(std::size_t, error_code&) { return close(); }
  bool on_array_begin(error_code&) { return open(); }
  bool on_array_end(std::size_t, error_code&) { return close(); }

  bool on_key_part(string_view part, std::size_t, error_code&) {
    if (depth_ == 1) key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code&) {
    if (depth_ != 1) return true;
    key_.append(part.data(), part.size());
    members.push_back({.name = std::move(key_)});
    key_.clear();
    return true;
  }

  bool on_string_part(string_view part, std::size_t, error_code&) { return add_text(part); }
  bool on_string(string_view part, std::size_t, error_code&) {
    set(JsonMember::Kind::string);
    return add_text(part);
  }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, string_view, error_code&) {
    if (set(JsonMember::Kind::integer)) members.back().integer = value;
    return true;
  }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return set(JsonMember::Kind::number), true; }
  bool on_double(double, string_view, error_code&) { return set(JsonMember::Kind::number), true; }
  bool on_bool(bool, error_code&) { return set(JsonMember::Kind::boolean), true; }
  bool on_null(error_code&) { return set(JsonMember::Kind::null), true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool in_member() const { return depth_ == 1 && is_object && !members.empty(); }

  bool set(JsonMember::Kind kind) {
    if (!in_member()) return false;
    members.back().kind = kind;
    return true;
  }

  bool add_text(string_view part) {
    if (in_member()) members.back().text.append(part.data(), part.size());
    return true;
  }

  bool open() {
    set(JsonMember::Kind::structure);
    ++depth_;
    return true;
  }

  bool close() {
    --depth_;
    return true;
  }

  std::size_t depth_ = 0;
  std::string key_;
};

}  // namespace

Result<std::vector<JsonMember>> parse_json_members(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = nesting_levels_max;
  boost::json::basic_parser<Collector> parser(options);
  boost::json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = boost::json::error::extra_data;
  if (error) return Error{Errc::invalid, "The body is not valid JSON: " + error.message() + "."};
  if (!parser.handler().is_object) return Error{Errc::invalid, "The body must be a JSON object."};
  return std::move(parser.handler().members);
}

}  // namespace seonchak
