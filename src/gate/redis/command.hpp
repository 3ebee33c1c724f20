#pragma once
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/ids.hpp"

namespace seonchak {

/// A command as the server reads it (RESP arrays of bulk strings).
std::string redis_command(std::span<const std::string> words);
std::string redis_command(std::initializer_list<std::string_view> words);

/// A Lua script and the hash the server knows it by.
struct Script {
  explicit Script(std::string_view text);

  std::string_view body;
  std::string sha1;  ///< 40 hexadecimal digits
};

/// One call of a script, which can be sent by hash first and whole when the server does not know the script.
class ScriptCall {
 public:
  ScriptCall(const Script& script, std::initializer_list<std::string_view> keys);

  ScriptCall& add(std::string_view argument);
  ScriptCall& add(std::int64_t argument) { return add(std::string_view(std::to_string(argument))); }
  template <class Meaning>
  ScriptCall& add(Id<Meaning> argument) {
    return add(argument.value());
  }

  std::string evalsha() const;
  std::string eval() const;

 private:
  std::string command(std::string_view name, std::string_view script) const;

  const Script& script_;
  std::size_t words_;
  std::string tail_;  ///< the number of keys, keys and arguments, formatted
};

}  // namespace seonchak
