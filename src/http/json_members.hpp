#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace seonchak {

/// One member of a JSON object, as the client wrote it.
struct JsonMember {
  enum class Kind {
    string,
    integer,  ///< no fraction, no exponent, fits `integer`
    number,   ///< any other number
    boolean,
    null,
    structure,  ///< an object or an array; what it holds is not kept
  };

  std::string name;
  Kind kind = Kind::null;
  std::string text{};        ///< of a string, UTF-8
  std::int64_t integer = 0;  ///< of an integer
};

/// Reads a flat JSON object (RFC 8259), in the order written, duplicates included: the caller decides about
/// them, and about the difference between 1000 and 1e3, which a document model would have lost. Errors:
/// invalid, for text that is no JSON or no object; the message is fit for the client.
Result<std::vector<JsonMember>> parse_json_members(std::string_view text);

}  // namespace seonchak
