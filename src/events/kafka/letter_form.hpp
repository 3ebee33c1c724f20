#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "events/kafka/original.hpp"

namespace seonchak::kafka {

/// The header that names what a letter does not repeat, or only a part of: "value,headers,key".
inline constexpr std::string_view left_out_header = "kafka_dlt-left-out";

/// A record that can never succeed, and why.
struct Letter {
  Original original;
  std::string_view reason;
};

/// In which a letter is written, one after the other as long as it is too large for its topic: it has more
/// headers than the message, which may be as large as the broker takes one.
enum class Form {
  whole,
  alone,  ///< the same, not together with others
  value_cut,
  without_headers,  ///< of the original's own
  key_cut,
  least  ///< takes no more than a few kilobytes
};

/// How much a letter repeats.
struct Extent {
  std::size_t value_bytes = 0;
  std::size_t key_bytes = 0;
  std::size_t reason_bytes = 0;
  bool headers = true;

  bool operator==(const Extent&) const = default;
};

Extent extent_of(const Letter& letter, Form form);

/// The next form to write it in when it is too large in this one; nothing when all are the same from here on.
std::optional<Form> smaller(const Letter& letter, Form form);

/// For left_out_header; "" when all is there.
std::string left_out(const Original& original, const Extent& extent);

/// The reason as the letter has it, with what is left out of the message.
std::string reason_of(const Letter& letter, const Extent& extent);

}  // namespace seonchak::kafka
