#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace seonchak::log {

/// One key=value of a log line. Numbers and text only; a value with spaces or quotes is quoted.
struct Field {
  template <std::integral T>
  Field(std::string_view name, T number) : key(name), value(std::to_string(number)) {}
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  /// Anything else that has a to_string() beside it.
  template <class T>
  requires(std::is_class_v<T> && !std::convertible_to<const T&, std::string_view>)
      Field(std::string_view name, const T& other)
      : key(name), value(to_string(other)) {}

  std::string_view key;
  std::string value;
};

using Fields = std::initializer_list<Field>;

/// Lines go to standard error as "TIME LEVEL message key=value ...". Safe from any thread. Nobody waits for
/// whoever reads them: what a full pipe or a closed reader does not take is dropped and counted.
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});
void debug(std::string_view message, Fields fields = {});

/// How many lines were dropped since the program began.
std::uint64_t dropped();

/// "debug", "info", "warn", "error" or "off"; the default is info. False for any other name.
bool set_level(std::string_view level);

}  // namespace seonchak::log
