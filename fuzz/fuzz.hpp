#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// libFuzzer's entry point: one input. A property that does not hold ends the program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace seonchak::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace seonchak::fuzz
