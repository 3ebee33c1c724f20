#pragma once
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

namespace seonchak {

/// Bytes on their way to a client, the last of them perhaps an answer that may not be sent after some time.
class Output {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }

  /// To be appended to.
  std::string& bytes() { return bytes_; }

  /// What is appended from now on is one answer, with this deadline; nothing comes behind it before it is
  /// sent.
  void begin_expiring(TimePoint valid_until) { expiring_ = {bytes_.size(), false, valid_until}; }
  bool expires() const { return expiring_.has_value(); }
  bool is_late(TimePoint time) const { return expiring_ && time > expiring_->valid_until; }

  /// Drops what is left of the expiring answer. False when some of it has been sent.
  bool take_back() {
    const bool whole = !expiring_->begun;
    bytes_.resize(expiring_->begins);
    expiring_.reset();
    return whole;
  }

  /// Drops the first `count` bytes.
  void sent(std::size_t count) {
    if (count == bytes_.size()) return clear();
    bytes_.erase(0, count);
    if (!expiring_) return;
    expiring_->begun = expiring_->begun || count > expiring_->begins;
    expiring_->begins -= std::min(count, expiring_->begins);
  }

  void clear() {
    bytes_.clear();
    expiring_.reset();
  }

 private:
  struct Expiring {
    std::size_t begins;
    bool begun;
    TimePoint valid_until;
  };
  std::string bytes_;
  std::optional<Expiring> expiring_;
};

}  // namespace seonchak
