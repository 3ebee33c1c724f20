#include "core/recovery/lease.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace seonchak {

namespace {

/// Of `silence`: no step of anybody's work takes longer than that.
constexpr int patience_factor_max = 8;

}  // namespace

Lease::Lease(Store& store, LeaseOptions options, Ticker& clock)
    : store_(store), options_(std::move(options)), clock_(clock), patience_(options_.silence) {}

Lease::State Lease::step() {
  if (!beat()) look();
  return {held_, held_ ? token_ : 0, held_ ? last_beat_ + options_.beat_period : next_look_};
}

bool Lease::beat() {
  if (!held_) return false;
  const auto began = clock_.now();
  if (began - last_beat_ < options_.beat_period) return true;
  const auto written = store_.beat_lease(options_.name, token_);
  if (written && *written) {
    last_beat_ = began;
    return true;
  }
  // The store does not answer: somebody may take the lease once it does.
  if (!written && clock_.now() - last_beat_ < options_.silence) return true;
  lose();
  return false;
}

void Lease::lose() {
  log::warn("a lease was lost: its holder was silent for too long", {{"lease", options_.name}});
  held_ = false;
  seen_since_.reset();
  patience_ = std::min(patience_ * 2, options_.silence * patience_factor_max);
}

void Lease::look() {
  const auto began = clock_.now();
  if (began < next_look_) return;
  next_look_ = began + options_.look_period;
  const auto row = store_.read_lease(options_.name);
  if (!row) return;
  if (!seen_since_ || *row != seen_) {
    const auto now = clock_.now();
    if (!seen_since_ || row->token != seen_.token || now - *seen_since_ > options_.silence / 2)
      no_gap_since_ = now;
    if (now - no_gap_since_ >= options_.silence) patience_ = options_.silence;
    seen_ = *row;
    seen_since_ = now;
  }
  if (row->holder == options_.holder) {
    hold(row->token);  // taken by a call whose answer was lost
    return;
  }
  const bool free = row->holder.empty();
  if (free) patience_ = options_.silence;
  if (free || began - *seen_since_ >= patience_) take();
}

void Lease::take() {
  const auto token = store_.take_lease(options_.name, seen_, options_.holder);
  if (!token || !*token) return;
  if (!seen_.holder.empty()) {
    log::warn("a lease was taken from a holder that went silent",
              {{"lease", options_.name}, {"holder", seen_.holder}});
  }
  hold(**token);
}

// Its own first beat shows that this process is quick enough.
void Lease::hold(std::int64_t token) {
  const auto began = clock_.now();
  const auto beat = store_.beat_lease(options_.name, token);
  if (!beat || !*beat) return;
  held_ = true;
  token_ = token;
  last_beat_ = began;
}

void Lease::release() {
  if (!std::exchange(held_, false)) return;
  seen_since_.reset();
  next_look_ = {};
  patience_ = options_.silence;
  (void)store_.release_lease(options_.name, token_);
}

}  // namespace seonchak
