#include "events/kafka/letter_form.hpp"

#include <algorithm>
#include <string_view>

#include "events/message.hpp"

namespace seonchak::kafka {

namespace {

/// Of each part that is cut.
constexpr std::size_t least_bytes = 1'024;

}  // namespace

Extent extent_of(const Letter& letter, Form form) {
  const Original& original = letter.original;
  Extent extent{original.value_bytes, original.key_bytes, letter.reason.size(), original.headers != nullptr};
  if (form >= Form::value_cut) extent.value_bytes = std::min(extent.value_bytes, value_bytes_max);
  if (form >= Form::without_headers) extent.headers = false;
  if (form >= Form::key_cut) extent.key_bytes = std::min(extent.key_bytes, least_bytes);
  if (form >= Form::least) {
    extent.value_bytes = std::min(extent.value_bytes, least_bytes);
    extent.reason_bytes = std::min(extent.reason_bytes, least_bytes);
  }
  return extent;
}

std::optional<Form> smaller(const Letter& letter, Form form) {
  if (form == Form::whole) return Form::alone;
  const Extent extent = extent_of(letter, form);
  for (const Form next : {Form::value_cut, Form::without_headers, Form::key_cut, Form::least}) {
    if (next > form && extent_of(letter, next) != extent) return next;
  }
  return std::nullopt;
}

std::string left_out(const Original& original, const Extent& extent) {
  std::string names;
  const auto add = [&](std::string_view name) { names.append(names.empty() ? "" : ",").append(name); };
  if (extent.value_bytes < original.value_bytes) add("value");
  if (!extent.headers && original.headers != nullptr) add("headers");
  if (extent.key_bytes < original.key_bytes) add("key");
  return names;
}

std::string reason_of(const Letter& letter, const Extent& extent) {
  const Original& original = letter.original;
  std::string parts;
  const auto add_cut = [&](const char* name, std::size_t bytes, std::size_t all) {
    if (bytes == all) return;
    parts +=
        name + std::string(" cut: ") + std::to_string(bytes) + " of its " + std::to_string(all) + " bytes; ";
  };
  add_cut("value", extent.value_bytes, original.value_bytes);
  if (!extent.headers && original.headers != nullptr) parts += "headers left out; ";
  add_cut("key", extent.key_bytes, original.key_bytes);
  std::string reason(letter.reason.substr(0, extent.reason_bytes));
  if (!parts.empty()) reason += " (" + parts + "the original offset has it whole)";
  return reason;
}

}  // namespace seonchak::kafka
