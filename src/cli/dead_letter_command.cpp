#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include <boost/json.hpp>

#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/wire.hpp"
#include "events/kafka/dead_letter_box.hpp"

namespace seonchak {

namespace {

namespace json = boost::json;
using Action = DeadLetterConfig::Action;

constexpr std::size_t list_letters_default = 100;
constexpr std::size_t page_letters = 100;
constexpr std::size_t shown_bytes_max = 500;

/// One line of printable ASCII, whatever the bytes are.
std::string printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, shown_bytes_max)) {
    if (byte >= ' ' && byte <= '~' && byte != '\\') {
      text += byte;
      continue;
    }
    std::array<char, 5> escaped{};
    std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned char>(byte));
    text += escaped.data();
  }
  if (bytes.size() > shown_bytes_max) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

/// JSON is UTF-8 throughout: anything else is escaped as in the text form.
json::value json_text(const std::optional<std::string>& bytes) {
  if (!bytes) return nullptr;
  json::error_code invalid;
  (void)json::parse(json::serialize(json::value(*bytes)), invalid);
  return invalid ? json::value(printable(*bytes)) : json::value(*bytes);
}

template <class Number>
json::value json_number(const std::optional<Number>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object to_json(const DeadLetter& letter) {
  json::object headers;
  for (const auto& [name, value] : letter.headers) headers[name] = json_text(value);
  return {{"partition", letter.partition},
          {"offset", letter.offset},
          {"writtenAt", format_rfc3339(letter.written_at)},
          {"originalTopic", letter.original_topic},
          {"originalPartition", json_number(letter.original_partition)},
          {"originalOffset", json_number(letter.original_offset)},
          {"reason", json_text(letter.reason)},
          {"key", json_text(letter.key)},
          {"value", json_text(letter.value)},
          {"valueIsCut", letter.cut},
          {"headers", std::move(headers)}};
}

void print_letter(const DeadLetter& letter) {
  const auto number = [](auto value) { return value ? std::to_string(*value) : std::string("?"); };
  std::printf("partition %d offset %lld  %s  from %s partition %s offset %s  reason: %s\n    %s\n",
              letter.partition, static_cast<long long>(letter.offset),
              format_rfc3339(letter.written_at).c_str(), letter.original_topic.c_str(),
              number(letter.original_partition).c_str(), number(letter.original_offset).c_str(),
              printable(letter.reason).c_str(),
              letter.value ? printable(*letter.value).c_str() : "(no value)");
}

template <class T>
T or_startup_error(Result<T>&& result) {
  if (!result) throw StartupError(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

int list(DeadLetterBox& box, const DeadLetterConfig& config) {
  std::vector<DeadLetter> letters;
  if (config.offset >= 0) {
    auto letter = box.find(config.partition, config.offset);
    if (!letter && letter.error().code == Errc::not_found) {
      std::fprintf(stderr, "seonchak: %s\n", letter.error().message.c_str());
      return exit_refused;
    }
    letters.push_back(or_startup_error(std::move(letter)));
  } else {
    letters = or_startup_error(box.unhandled(config.limit > 0 ? config.limit : list_letters_default));
  }
  if (!config.json) {
    for (const DeadLetter& letter : letters) print_letter(letter);
    return exit_ok;
  }
  json::array all;
  for (const DeadLetter& letter : letters) all.push_back(to_json(letter));
  std::puts(json::serialize(json::object{{"letters", std::move(all)}}).c_str());
  return exit_ok;
}

/// What replay and drop have done so far.
struct Tally {
  std::size_t handled = 0;
  std::size_t refused = 0;
};

void handle(DeadLetterBox& box, const DeadLetterConfig& config, const DeadLetter& letter, Tally& tally) {
  if (config.action == Action::replay) {
    const auto replayed = box.replay(letter);
    if (!replayed && replayed.error().code == Errc::invalid) {
      ++tally.refused;
      std::fprintf(stderr, "seonchak: not replayed: partition %d offset %lld: %s\n", letter.partition,
                   static_cast<long long>(letter.offset), printable(replayed.error().message).c_str());
      return;
    }
    if (!replayed) throw StartupError(replayed.error().message);
  }
  or_startup_error(box.mark_handled(letter));
  ++tally.handled;
}

void handle_all(DeadLetterBox& box, const DeadLetterConfig& config, Tally& tally) {
  const std::size_t limit = config.limit > 0 ? config.limit : std::numeric_limits<std::size_t>::max();
  while (tally.handled < limit) {
    // Those that were refused are still there, at the front.
    const std::size_t wanted = std::min(page_letters, limit - tally.handled);
    const std::size_t refused = tally.refused;
    const auto letters = or_startup_error(box.unhandled(refused + wanted));
    if (letters.size() <= refused) return;
    tally.refused = 0;
    for (const DeadLetter& letter : letters) handle(box, config, letter, tally);
    if (tally.refused == letters.size()) return;
  }
}

int handle_letters(DeadLetterBox& box, const DeadLetterConfig& config) {
  Tally tally;
  if (config.all) {
    handle_all(box, config, tally);
  } else {
    auto letter = box.find(config.partition, config.offset);
    if (!letter && letter.error().code == Errc::not_found) {
      std::fprintf(stderr, "seonchak: %s\n", letter.error().message.c_str());
      return exit_refused;
    }
    handle(box, config, or_startup_error(std::move(letter)), tally);
  }
  const char* done = config.action == Action::replay ? "replayed" : "dropped";
  if (config.json) {
    std::puts(json::serialize(json::object{{done, tally.handled}, {"refused", tally.refused}}).c_str());
  } else {
    std::printf("%zu %s, %zu refused\n", tally.handled, done, tally.refused);
  }
  return tally.refused == 0 ? exit_ok : exit_refused;
}

}  // namespace

int dead_letter_command(int argc, char** argv) {
  const auto config = read_dead_letter_config(argc, argv);
  if (!config) return exit_ok;
  log::set_level("error");
  const auto box = open_dead_letters(kafka_options(config->serve));
  return config->action == Action::list ? list(*box, *config) : handle_letters(*box, *config);
}

}  // namespace seonchak
