#include "core/progress/progress.hpp"

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/ticker.hpp"

namespace seonchak {

void ProgressBoard::persisted(std::span<const Mark> marks) {
  raise(marks, &Outbox::Progress::persisted);
}

void ProgressBoard::raise(std::span<const Mark> marks, std::int64_t Outbox::Progress::*stage) {
  bool rose = false;
  {
    const std::lock_guard lock(mutex_);
    for (const Mark& mark : marks) {
      Known* const known = known_in(mark);
      if (known == nullptr || mark.sequence <= known->progress.*stage) continue;
      known->progress.*stage = mark.sequence;
      rose = true;
    }
  }
  if (rose) notify();
}

ProgressBoard::Known* ProgressBoard::known_in(const Mark& mark) {
  Known& known = coupons_[mark.coupon_id];
  if (mark.epoch < known.progress.epoch) return nullptr;
  // After a recovery less may be published and persisted than before.
  if (mark.epoch > known.progress.epoch) known = {.progress = {.epoch = mark.epoch}};
  return &known;
}

void ProgressBoard::shown(std::span<const Mark> marks, std::chrono::steady_clock::time_point asked_at) {
  const std::lock_guard lock(mutex_);
  for (const Mark& mark : marks) {
    if (Known* const known = known_in(mark)) known->shown_at = std::max(known->shown_at, asked_at);
  }
}

std::chrono::steady_clock::time_point ProgressBoard::shown_at(const std::string& coupon_id,
                                                              std::int64_t epoch) const {
  const std::lock_guard lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end() || found->second.progress.epoch != epoch) return {};
  return found->second.shown_at;
}

void ProgressBoard::notify() {
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& [handle, listener] : listeners_) listener();
}

Outbox::Progress ProgressBoard::of(const std::string& coupon_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = coupons_.find(coupon_id);
  if (found == coupons_.end()) return {};
  // What the store has, the log had: a restarted relay may not know.
  Outbox::Progress progress = found->second.progress;
  progress.published = std::max(progress.published, progress.persisted);
  return progress;
}

std::size_t ProgressBoard::listen(Listener changed) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.emplace(++next_handle_, std::move(changed));
  return next_handle_;
}

void ProgressBoard::forget(std::size_t handle) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(handle);
}

void ProgressBoard::want(const std::string& coupon_id) {
  const std::lock_guard lock(mutex_);
  if (++wanted_[coupon_id] == 1) wants_.fetch_add(1, std::memory_order_release);
}

void ProgressBoard::unwant(const std::string& coupon_id) {
  const std::lock_guard lock(mutex_);
  const auto found = wanted_.find(coupon_id);
  if (found != wanted_.end() && --found->second == 0) wanted_.erase(found);
}

std::vector<std::string> ProgressBoard::wanted() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  ids.reserve(wanted_.size());
  for (const auto& [id, count] : wanted_) ids.push_back(id);
  return ids;
}

struct AckWaitersLife {
  std::atomic<bool> sweep_posted{false};
  bool alive = true;  // only touched on the loop's thread
};

AckWaiters::AckWaiters(Loop& loop, ProgressBoard& board, AckWaitersOptions options)
    : loop_(loop), board_(board), options_(options), life_(std::make_shared<AckWaitersLife>()) {
  // One posted sweep at a time, however many marks rise meanwhile.
  handle_ = board_.listen([this, life = life_] {
    if (life->sweep_posted.exchange(true)) return;
    loop_.post([this, life] {
      life->sweep_posted.store(false);
      if (life->alive) sweep();
    });
  });
}

AckWaiters::~AckWaiters() {
  board_.forget(handle_);
  life_->alive = false;
  for (const auto& [id, stages] : coupons_) board_.unwant(id);
}

void AckWaiters::wait(const Mark& mark, Ack ack, Done done) {
  const Outbox::Progress progress = board_.of(mark.coupon_id);
  const std::int64_t reached = ack == Ack::log ? progress.published : progress.persisted;
  if (ack == Ack::gate) return done(true);
  if (mark.epoch == progress.epoch && mark.sequence <= reached) return done(true);
  if (mark.epoch < progress.epoch || size_ >= options_.waiters_max) return done(false);

  const auto [it, added] = coupons_.try_emplace(mark.coupon_id);
  if (added) board_.want(mark.coupon_id);
  Queue& queue = ack == Ack::log ? it->second.log : it->second.store;
  queue.emplace(std::pair(mark.epoch, mark.sequence),
                Waiter{ticker().now() + options_.timeout, std::move(done)});
  ++size_;
  board_.somebody_waits().notify();
  if (!ticking_) tick();
}

void AckWaiters::release(Queue& queue, std::int64_t epoch, std::int64_t reached, Answers& answers) {
  const auto end = queue.upper_bound({epoch, reached});
  for (auto it = queue.begin(); it != end; ++it) {
    (it->first.first == epoch ? answers.yes : answers.no).push_back(std::move(it->second.done));
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
  board_.unwant(it->first);
  coupons_.erase(it);
}

void AckWaiters::sweep() {
  Answers answers;
  for (auto it = coupons_.begin(); it != coupons_.end();) {
    const Outbox::Progress progress = board_.of(it->first);
    release(it->second.log, progress.epoch, progress.published, answers);
    release(it->second.store, progress.epoch, progress.persisted, answers);
    drop_if_empty(it++);
  }
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
    size_ -= done.size();
    for (const Done& call : done) call(false);
    if (size_ > 0 && !ticking_) tick();
  });
}

}  // namespace seonchak
