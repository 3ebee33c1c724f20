#include "http/coupon_input.hpp"

#include <algorithm>
#include <initializer_list>

#include <boost/throw_exception.hpp>

#include "http/json_members.hpp"

namespace seonchak {

namespace {

using Kind = JsonMember::Kind;

constexpr std::string_view time_message =
    "must be a time such as 2026-11-22T03:00:00Z (RFC 3339, 1970 to 9999), or null";
constexpr std::string_view detail_of_errors = "See \"errors\" for what to change in each field.";

/// Walks over the members of a body, noting what is wrong with each field.
class FieldReader {
 public:
  static Input<FieldReader> open(std::string_view body) {
    auto members = parse_json_members(body);
    if (!members) return Problem{ProblemCode::bad_json, members.error().message};
    return FieldReader(std::move(*members));
  }

  bool has(std::string_view field) const { return find(field) != nullptr; }

  std::optional<std::string> text(std::string_view field) {
    const JsonMember* member = find(field);
    if (member == nullptr) return std::nullopt;
    if (member->kind == Kind::string) return member->text;
    fail(field, "must be a string");
    return std::nullopt;
  }

  std::optional<std::int64_t> integer(std::string_view field) {
    const JsonMember* member = find(field);
    if (member == nullptr) return std::nullopt;
    if (member->kind == Kind::integer) return member->integer;
    fail(field, "must be a whole number from 1 to " + std::to_string(stock_max) +
                    ", written in digits without fraction, exponent or quotes");
    return std::nullopt;
  }

  /// The outer optional: whether the field is there; the inner one: whether it is a time or null.
  std::optional<std::optional<Time>> time(std::string_view field) {
    const JsonMember* member = find(field);
    if (member == nullptr) return std::nullopt;
    if (member->kind == Kind::null) return std::optional<Time>();
    const auto time = member->kind == Kind::string ? parse_rfc3339(member->text) : std::nullopt;
    if (time) return std::optional(time);
    fail(field, std::string(time_message));
    return std::nullopt;
  }

  std::optional<Ack> ack(std::string_view field) {
    const JsonMember* member = find(field);
    if (member == nullptr) return std::nullopt;
    const auto ack = member->kind == Kind::string ? parse_ack(member->text) : std::nullopt;
    if (!ack) fail(field, R"(must be "gate", "log" or "store")");
    return ack;
  }

  void refuse_others(std::initializer_list<std::string_view> known, const std::string& message) {
    for (auto member = members_.begin(); member != members_.end(); ++member) {
      const auto same_name = [&](const JsonMember& other) { return other.name == member->name; };
      if (std::ranges::find(known, member->name) == known.end()) fail(member->name, message);
      if (std::any_of(members_.begin(), member, same_name)) fail(member->name, "must be given once");
    }
  }

  void fail(std::string_view field, std::string message) { add({std::string(field), std::move(message)}); }

  /// The first complaint about a field is the one that counts.
  void add(FieldError error) {
    const bool known = std::ranges::find(errors_, error.field, &FieldError::field) != errors_.end();
    if (!known) errors_.push_back(std::move(error));
  }

  std::optional<Problem> problem() const {
    if (errors_.empty()) return std::nullopt;
    return Problem{ProblemCode::invalid_coupon, std::string(detail_of_errors), errors_};
  }

 private:
  explicit FieldReader(std::vector<JsonMember> members) : members_(std::move(members)) {}

  const JsonMember* find(std::string_view field) const {
    const auto found = std::ranges::find(members_, field, &JsonMember::name);
    return found == members_.end() ? nullptr : &*found;
  }

  std::vector<JsonMember> members_;
  std::vector<FieldError> errors_;
};

}  // namespace

void throw_exception_from_error(const Problem& problem, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(problem.detail), where);
}

Input<NewCoupon> read_new_coupon(std::string_view body, const CouponAdminOptions& options) {
  auto opened = FieldReader::open(body);
  if (!opened) return opened.error();
  FieldReader& fields = *opened;

  NewCoupon coupon;
  coupon.id = fields.text("id").value_or("");
  coupon.name = fields.text("name").value_or("");
  coupon.stock = fields.integer("stock").value_or(0);
  coupon.opens_at = fields.time("opensAt").value_or(std::nullopt);
  coupon.closes_at = fields.time("closesAt").value_or(std::nullopt);
  coupon.ack = fields.ack("ack");
  fields.refuse_others({"id", "name", "stock", "opensAt", "closesAt", "ack"},
                       "is not a field of a new coupon");

  // An id that is there but empty is a mistake; to the core, empty means "number it".
  if (fields.has("id") && coupon.id.empty()) fields.fail("id", "must be 1 to 64 of A-Z a-z 0-9 . _ -");
  if (!fields.has("name")) fields.fail("name", "is required");
  if (!fields.has("stock")) fields.fail("stock", "is required");
  for (FieldError& error : validate(coupon, options)) fields.add(std::move(error));
  if (auto problem = fields.problem()) return std::move(*problem);
  return coupon;
}

Input<CouponChange> read_coupon_change(std::string_view body, const CouponAdminOptions& options) {
  auto opened = FieldReader::open(body);
  if (!opened) return opened.error();
  FieldReader& fields = *opened;

  CouponChange change{fields.integer("stock"), fields.time("opensAt"), fields.time("closesAt")};
  fields.refuse_others({"stock", "opensAt", "closesAt"}, "can not be changed");
  if (!fields.has("stock") && !fields.has("opensAt") && !fields.has("closesAt")) {
    fields.fail("stock", "give at least one of stock, opensAt, closesAt");
  }

  // The rules of a new coupon hold for what the change says; how it fits the rest is seen under the coupon's
  // lock.
  NewCoupon changed;
  changed.name = "unchanged";
  changed.stock = change.stock.value_or(1);
  changed.opens_at = change.opens_at.value_or(std::nullopt);
  changed.closes_at = change.closes_at.value_or(std::nullopt);
  for (FieldError& error : validate(changed, options)) fields.add(std::move(error));
  if (auto problem = fields.problem()) return std::move(*problem);
  return change;
}

}  // namespace seonchak
