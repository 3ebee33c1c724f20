#include "core/progress/watermarks.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "base/invariant.hpp"
#include "base/ticker.hpp"

namespace seonchak {

void Watermarks::persisted(std::span<const Watermark> watermarks) {
  raise(watermarks, &Outbox::Progress::persisted);
}

void Watermarks::raise(std::span<const Watermark> watermarks, Sequence Outbox::Progress::*stage) {
  bool rose = false;
  {
    const MutexLock lock(mutex_);
    for (const Watermark& watermark : watermarks) {
      Known* const known = known_in(watermark);
      if (known == nullptr || watermark.sequence <= known->progress.*stage) continue;
      known->progress.*stage = watermark.sequence;
      rose = true;
    }
  }
  if (rose) notify();
}

Watermarks::Known* Watermarks::known_in(const Watermark& watermark) {
  Known& known = coupons_[watermark.coupon_id];
  if (watermark.epoch < known.progress.epoch) return nullptr;
  // After a recovery less may be published and persisted than before.
  if (watermark.epoch > known.progress.epoch) known = {.progress = {.epoch = watermark.epoch}};
  return &known;
}

void Watermarks::rejected(const std::string& coupon_id, Epoch epoch, const RejectedSequences& sequences) {
  if (sequences == RejectedSequences()) return;
  const MutexLock lock(mutex_);
  Known* const known = known_in({coupon_id, 0, epoch});
  if (known == nullptr) return;
  RejectedSequences& all = known->progress.rejected;
  all.too_many = all.too_many || sequences.too_many;
  for (const Sequence sequence : sequences.kept) all.add(sequence);
}

void Watermarks::shown(std::span<const Watermark> watermarks,
                       std::chrono::steady_clock::time_point asked_at) {
  const MutexLock lock(mutex_);
  for (const Watermark& watermark : watermarks) {
    if (Known* const known = known_in(watermark)) known->shown_at = std::max(known->shown_at, asked_at);
  }
}

std::chrono::steady_clock::time_point Watermarks::shown_at(const std::string& coupon_id, Epoch epoch) const {
  const MutexLock lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end() || found->second.progress.epoch != epoch) return {};
  return found->second.shown_at;
}

void Watermarks::notify() {
  const MutexLock lock(listeners_mutex_);
  for (const auto& [handle, listener] : listeners_) listener();
}

Outbox::Progress Watermarks::of(const std::string& coupon_id) const {
  const MutexLock lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end()) return {};
  // What the store has, the log had: a restarted relay may not know.
  Outbox::Progress progress = found->second.progress;
  progress.published = std::max(progress.published, progress.persisted);
  return progress;
}

std::size_t Watermarks::listen(Listener changed) {
  const MutexLock lock(listeners_mutex_);
  listeners_.emplace(++next_handle_, std::move(changed));
  return next_handle_;
}

void Watermarks::forget(std::size_t handle) {
  const MutexLock lock(listeners_mutex_);
  listeners_.erase(handle);
}

void Watermarks::want(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  if (++wanted_[coupon_id] == 1) wants_.fetch_add(1, std::memory_order_release);
}

void Watermarks::unwant(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  const auto found = wanted_.find(coupon_id);
  if (found != wanted_.end() && --found->second == 0) wanted_.erase(found);
}

std::vector<std::string> Watermarks::wanted() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> ids;
  ids.reserve(wanted_.size());
  for (const auto& [id, count] : wanted_) ids.push_back(id);
  return ids;
}

struct AckWaitersLife {
  std::atomic<bool> sweep_posted{false};
  bool alive = true;  // only touched on the loop's thread
};

AckWaiters::AckWaiters(Loop& loop, Watermarks& watermarks, AckWaitersOptions options)
    : loop_(loop), watermarks_(watermarks), options_(options), life_(std::make_shared<AckWaitersLife>()) {
  // One posted sweep at a time, however many watermarks rise meanwhile.
  handle_ = watermarks_.listen([this, life = life_] {
    if (life->sweep_posted.exchange(true)) return;
    loop_.post([this, life] {
      life->sweep_posted.store(false);
      if (life->alive) sweep();
    });
  });
}

AckWaiters::~AckWaiters() {
  watermarks_.forget(handle_);
  life_->alive = false;
  for (const auto& [id, stages] : coupons_) watermarks_.unwant(id);
}

void AckWaiters::wait(const Watermark& watermark, Ack ack, Done done) {
  const Outbox::Progress progress = watermarks_.of(watermark.coupon_id);
  const Sequence reached = ack == Ack::log ? progress.published : progress.persisted;
  if (ack == Ack::gate) return done(true);
  if (watermark.epoch == progress.epoch && watermark.sequence <= reached)
    return done(ack == Ack::log || !progress.rejected.may_contain(watermark.sequence));
  if (watermark.epoch < progress.epoch || size_ >= options_.waiters_max) return done(false);

  const auto [it, added] = coupons_.try_emplace(watermark.coupon_id);
  if (added) watermarks_.want(watermark.coupon_id);
  Queue& queue = ack == Ack::log ? it->second.log : it->second.store;
  queue.emplace(std::pair(watermark.epoch, watermark.sequence),
                Waiter{ticker().now() + options_.timeout, std::move(done)});
  ++size_;
  if (!std::exchange(wake_posted_, true)) {
    loop_.post([this, life = life_] {
      if (life->alive) wake_relay();
    });
  }
  if (!ticking_) tick();
}

void AckWaiters::wake_relay() {
  wake_posted_ = false;
  watermarks_.somebody_waits().notify();
}

void AckWaiters::release(Queue& queue, Epoch epoch, Sequence reached, const RejectedSequences& rejected,
                         Answers& answers) {
  const auto end = queue.upper_bound({epoch, reached});
  for (auto it = queue.begin(); it != end; ++it) {
    const bool has_it = it->first.first == epoch && !rejected.may_contain(it->first.second);
    (has_it ? answers.yes : answers.no).push_back(std::move(it->second.done));
  }
  queue.erase(queue.begin(), end);
}

void AckWaiters::expire(Queue& queue, std::chrono::steady_clock::time_point now, std::vector<Done>& done) {
  for (auto it = queue.begin(); it != queue.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    done.push_back(std::move(it->second.done));
    it = queue.erase(it);
  }
}

void AckWaiters::drop_if_empty(std::unordered_map<std::string, Stages>::iterator it) {
  if (!it->second.empty()) return;
  watermarks_.unwant(it->first);
  coupons_.erase(it);
}

void AckWaiters::sweep() {
  Answers answers;
  for (auto it = coupons_.begin(); it != coupons_.end();) {
    const Outbox::Progress progress = watermarks_.of(it->first);
    release(it->second.log, progress.epoch, progress.published, {}, answers);
    release(it->second.store, progress.epoch, progress.persisted, progress.rejected, answers);
    drop_if_empty(it++);
  }
  invariant(answers.yes.size() + answers.no.size() <= size_, "whoever is answered was counted as waiting");
  size_ -= answers.yes.size() + answers.no.size();
  for (const Done& call : answers.yes) call(true);
  for (const Done& call : answers.no) call(false);
}

void AckWaiters::tick() {
  ticking_ = true;
  loop_.after(options_.tick, [this, life = life_] {
    if (!life->alive) return;
    ticking_ = false;
    std::vector<Done> done;
    const auto now = ticker().now();
    for (auto it = coupons_.begin(); it != coupons_.end();) {
      expire(it->second.log, now, done);
      expire(it->second.store, now, done);
      drop_if_empty(it++);
    }
    invariant(done.size() <= size_, "whoever is answered was counted as waiting");
    size_ -= done.size();
    for (const Done& call : done) call(false);
    if (size_ > 0 && !ticking_) tick();
  });
}

}  // namespace seonchak
