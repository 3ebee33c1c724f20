#include "events/message.hpp"

#include <array>
#include <charconv>

#include <boost/json.hpp>

#include "base/invariant.hpp"
#include "core/model/coupon.hpp"

namespace seonchak {

namespace json = boost::json;

namespace {

void append_number(std::string& out, std::int64_t number) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// The fields of a value; the first thing wrong with it ends the reading.
class Reader {
 public:
  Reader(const json::object& object, const RawMessage& raw) : object_(object), raw_(raw) {}

  Message read() {
    std::string coupon_id = id("couponId", valid_coupon_id);
    std::string user_id = id("userId", valid_user_id);
    const json::value* sequence = field("sequence");
    if (!reason_.empty()) return Malformed{reason_};
    if (!sequence) return BareRequest{std::move(coupon_id), std::move(user_id)};

    const json::value* epoch = field("epoch");
    IssuedEvent event{std::move(coupon_id), std::move(user_id), Sequence(positive(*sequence)), issued_at(),
                      Epoch(epoch ? positive_integer("epoch", *epoch) : 0)};
    if (!reason_.empty()) return Malformed{reason_};
    if (!epoch && raw_.event_id) event.epoch = epoch_of(raw_.event_id(), event);
    return event;
  }

 private:
  const json::value* field(std::string_view name) const {
    const json::value* value = object_.if_contains(json::string_view(name.data(), name.size()));
    return value && !value->is_null() ? value : nullptr;
  }

  void fail(std::string_view name, std::string_view problem) {
    if (!reason_.empty()) return;
    reason_.append(name).append(" ").append(problem);
  }

  std::string id(std::string_view name, bool (*valid)(std::string_view)) {
    const json::value* value = field(name);
    if (!value) return fail(name, "is missing"), std::string();
    std::string text;
    if (value->is_string()) {
      text = std::string_view(value->get_string());
    } else if (value->is_int64()) {
      text = std::to_string(value->get_int64());
    } else if (value->is_uint64()) {
      text = std::to_string(value->get_uint64());
    } else if (value->is_double()) {
      return fail(name, "is not a 64-bit integer"), std::string();
    } else {
      return fail(name, "is neither a string nor a number"), std::string();
    }
    if (!valid(text)) fail(name, "is not a valid id: 1 to 64 characters of a limited set");
    return text;
  }

  std::int64_t positive(const json::value& value) {
    if (value.is_number()) return positive_integer("sequence", value);
    if (!value.is_string()) return fail("sequence", "is neither a number nor a string"), 0;
    const std::string_view text = value.get_string();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      return fail("sequence", "is not a 64-bit integer"), 0;
    }
    return within_limits("sequence", number);
  }

  std::int64_t positive_integer(std::string_view name, const json::value& value) {
    if (!value.is_int64()) return fail(name, "is not a 64-bit integer"), 0;
    return within_limits(name, value.get_int64());
  }

  std::int64_t within_limits(std::string_view name, std::int64_t number) {
    if (number < 1) fail(name, "is less than 1");
    if (number > number_max) fail(name, "is more than 2^53");
    return number;
  }

  Time issued_at() {
    const json::value* value = field("issuedAt");
    if (!value) return raw_.timestamp;
    if (!value->is_string()) return fail("issuedAt", "is not a string"), Time{};
    const auto time = parse_rfc3339(value->get_string());
    if (!time) fail("issuedAt", "is not an RFC 3339 time");
    return time.value_or(Time{});
  }

  static Epoch epoch_of(std::string_view event_id, const IssuedEvent& event) {
    const std::string_view coupon_id = event.coupon_id;
    if (!event_id.starts_with(coupon_id)) return 0;
    event_id.remove_prefix(coupon_id.size());
    const std::size_t second = event_id.rfind(':');
    if (second == std::string_view::npos || second == 0 || event_id.front() != ':') return 0;
    if (event_id.substr(second + 1) != to_string(event.sequence)) return 0;

    const std::string_view text = event_id.substr(1, second - 1);
    std::int64_t epoch = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && epoch > 0 && epoch <= number_max ? Epoch(epoch) : Epoch();
  }

  const json::object& object_;
  const RawMessage& raw_;
  std::string reason_;
};

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// The text up to the next quote.
std::string_view take_string(std::string_view& text) {
  const std::string_view string = text.substr(0, text.find('"'));
  text.remove_prefix(string.size());
  return string;
}

/// 0 when there is none, one that JSON would write in another way, or one beyond the limit.
std::int64_t take_positive(std::string_view& text) {
  std::int64_t number = 0;
  if (text.empty() || text.front() < '1' || text.front() > '9') return 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > number_max) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// A value exactly as MessageEncoder writes it, which nearly all are: a quarter of a JSON parser's work.
/// Nothing for every other one. No legal id contains what JSON escapes.
std::optional<IssuedEvent> read_own(std::string_view text) {
  if (!take(text, R"({"couponId":")")) return std::nullopt;
  const std::string_view coupon_id = take_string(text);
  if (!take(text, R"(","userId":")")) return std::nullopt;
  const std::string_view user_id = take_string(text);
  if (!take(text, R"(","sequence":)")) return std::nullopt;
  const Sequence sequence(take_positive(text));
  if (!take(text, R"(,"issuedAt":")")) return std::nullopt;
  const auto issued_at = parse_rfc3339(take_string(text));
  if (!take(text, R"(","epoch":)")) return std::nullopt;
  const Epoch epoch(take_positive(text));
  if (text != "}" || sequence == 0 || epoch == 0 || !issued_at) return std::nullopt;
  if (!valid_coupon_id(coupon_id) || !valid_user_id(user_id)) return std::nullopt;
  return IssuedEvent{std::string(coupon_id), std::string(user_id), sequence, *issued_at, epoch};
}

json::value parse(std::string_view text, json::storage_ptr memory, json::error_code& error) {
  json::parse_options options;
  options.max_depth = value_depth_max;
  return json::parse(json::string_view(text.data(), text.size()), error, std::move(memory), options);
}

}  // namespace

MessageEncoder::Encoded MessageEncoder::encode(const IssuedEvent& event) {
  // The ids go into the JSON unescaped, which only their charset makes right.
  invariant(valid_coupon_id(event.coupon_id) && valid_user_id(event.user_id) && event.sequence > 0,
            "an event was checked where it came from");
  if (time_ != event.issued_at) {
    time_ = event.issued_at;
    time_text_ = format_rfc3339(event.issued_at);
  }

  value_ = R"({"couponId":")";
  value_ += event.coupon_id;
  value_ += R"(","userId":")";
  value_ += event.user_id;
  value_ += R"(","sequence":)";
  append_number(value_, event.sequence.value());
  value_ += R"(,"issuedAt":")";
  value_ += time_text_;
  value_ += '"';
  if (event.epoch != 0) {
    value_ += R"(,"epoch":)";
    append_number(value_, event.epoch.value());
  }
  value_ += '}';

  id_ = event.coupon_id;
  id_ += ':';
  append_number(id_, event.epoch.value());
  id_ += ':';
  append_number(id_, event.sequence.value());
  return {value_, id_, time_text_};
}

Message decode_message(const RawMessage& message) {
  if (!message.value) return Malformed{"the message has no value (a tombstone)"};
  const std::string_view text = *message.value;
  if (text.size() > value_bytes_max) {
    return Malformed{"the value has " + std::to_string(text.size()) + " bytes, more than " +
                     std::to_string(value_bytes_max)};
  }

  if (auto own = read_own(text)) return std::move(*own);

  // Scratch: to zero it would cost more than the parsing.
  std::array<unsigned char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  json::monotonic_resource memory(buffer.data(), buffer.size());
  json::error_code error;
  json::value value = parse(text, &memory, error);
  if (error) return Malformed{"not JSON: " + error.message()};

  json::value inner(&memory);
  if (value.is_string()) {
    inner = parse(value.get_string(), &memory, error);
    if (error) return Malformed{"a JSON string with no JSON inside: " + error.message()};
    value = std::move(inner);
  }
  if (!value.is_object()) return Malformed{"not a JSON object"};
  return Reader(value.get_object(), message).read();
}

}  // namespace seonchak
