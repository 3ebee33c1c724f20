#pragma once

#include <cstddef>
#include <string_view>

namespace load {

// The first answer in what a connection has received. It looks at the status and at what tells the length,
// nothing else.
struct Answer {
  enum class State { complete, incomplete, malformed };

  State state = State::incomplete;
  int status = 0;
  std::size_t bytes = 0;  // of a complete answer, head and body
};

// Content-Length and chunked bodies; an answer with neither has no body.
Answer parse_answer(std::string_view received);

}  // namespace load
