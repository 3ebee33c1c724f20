#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace seonchak {

/// Writes whole lines to a descriptor without ever waiting for its reader. A pipe, a socket or a terminal
/// that has no room drops the line, and one that takes part of it gets the rest before the next. (A file
/// never has no room in this sense: its disk is waited for.) Used from one thread at a time, but for
/// dropped().
class LineWriter {
 public:
  /// The descriptor stays the caller's, who may lead it elsewhere (dup2).
  explicit LineWriter(int descriptor) : descriptor_(descriptor) {}
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// False when the line was dropped.
  bool write(std::string_view line);

  /// Whether nothing is left of the line before, after another attempt.
  bool ready();

  std::uint64_t dropped() const { return dropped_; }

  /// Those that nobody has been told of.
  std::uint64_t unreported() const { return dropped_ - reported_; }
  bool owes_report() const { return unreported() > 0; }
  void reported() { reported_ = dropped_; }

 private:
  enum class Kind { file, socket, other };

  void look_where_it_leads();

  /// How much was taken at once, perhaps nothing.
  std::size_t put(std::string_view bytes);

  const int descriptor_;
  dev_t device_ = 0;  // with the next, what it leads to
  ino_t node_ = 0;
  Kind kind_ = Kind::file;
  int own_pipe_ = -1;  // the same pipe, in a mode that does not wait
  std::string rest_;   // of the last line
  std::atomic<std::uint64_t> dropped_{0};
  std::uint64_t reported_ = 0;
};

}  // namespace seonchak
