#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace seonchak {

/// The offsets of a partition that are handled: all below next(), and some above. As text, the latter are
/// ranges relative to next(): "2-5,9", in which 0 is next() itself and never occurs.
class HandledOffsets {
 public:
  /// Kafka's own limit of a position's metadata, offset.metadata.max.bytes.
  static constexpr std::size_t text_bytes_max = 4'096;

  explicit HandledOffsets(std::int64_t next = 0) : next_(next) {}

  /// Nothing when the text is none of ours.
  static std::optional<HandledOffsets> parse(std::int64_t next, std::string_view text);

  std::int64_t next() const { return next_; }
  bool contains(std::int64_t offset) const;
  void add(std::int64_t offset);

  /// Everything below is handled, or gone.
  void skip_to(std::int64_t offset);

  std::string text() const;

 private:
  void merge();

  std::int64_t next_;
  std::map<std::int64_t, std::int64_t> ranges_;  // first -> last, above next_, apart from each other
};

}  // namespace seonchak
