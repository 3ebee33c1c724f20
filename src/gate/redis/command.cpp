#include "gate/redis/command.hpp"

#include <array>

#include <openssl/evp.h>

#include "base/invariant.hpp"

namespace seonchak {

namespace {

void append_word(std::string& out, std::string_view word) {
  out += '$';
  out += std::to_string(word.size());
  out += "\r\n";
  out += word;
  out += "\r\n";
}

std::string array_of(std::size_t words) {
  return "*" + std::to_string(words) + "\r\n";
}

template <class Words>
std::string format(const Words& words) {
  std::string out = array_of(words.size());
  for (const auto& word : words) append_word(out, word);
  return out;
}

std::string sha1_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const int done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  invariant(done == 1, "the SHA-1 of a script can be computed");
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    hex += digits[digest[i] >> 4];
    hex += digits[digest[i] & 15];
  }
  return hex;
}

}  // namespace

std::string redis_command(std::span<const std::string> words) {
  return format(words);
}
std::string redis_command(std::initializer_list<std::string_view> words) {
  return format(words);
}

Script::Script(std::string_view text) : body(text), sha1(sha1_of(text)) {}

ScriptCall::ScriptCall(const Script& script, std::initializer_list<std::string_view> keys)
    : script_(script), words_(3 + keys.size()) {
  append_word(tail_, std::to_string(keys.size()));
  for (const std::string_view key : keys) append_word(tail_, key);
}

ScriptCall& ScriptCall::add(std::string_view argument) {
  append_word(tail_, argument);
  ++words_;
  return *this;
}

std::string ScriptCall::evalsha() const {
  return command("EVALSHA", script_.sha1);
}
std::string ScriptCall::eval() const {
  return command("EVAL", script_.body);
}

std::string ScriptCall::command(std::string_view name, std::string_view script) const {
  std::string out = array_of(words_);
  out.reserve(out.size() + script.size() + tail_.size() + 48);
  append_word(out, name);
  append_word(out, script);
  return out += tail_;
}

}  // namespace seonchak
