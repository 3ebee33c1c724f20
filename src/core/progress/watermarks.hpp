#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/loop.hpp"
#include "base/mutex.hpp"
#include "base/wake.hpp"
#include "core/model/coupon.hpp"
#include "core/ports/gate.hpp"

namespace seonchak {

/// How far the pipeline has come with each coupon, as this process knows it: told by the relay and the
/// consumer that run here, and by polling the gate for those that run elsewhere. Safe from any thread.
class Watermarks {
 public:
  /// Watermarks only ever rise, within an epoch; those of an earlier epoch than the latest change nothing.
  void published(std::span<const Watermark> watermarks) { raise(watermarks, &Outbox::Progress::published); }
  void persisted(std::span<const Watermark> watermarks);

  /// These will have no row, however far `persisted` comes. To be told before that.
  void rejected(const std::string& coupon_id, Epoch epoch, const RejectedSequences& sequences);

  Outbox::Progress of(const std::string& coupon_id) const;

  /// The gate, asked at `asked_at`, has shown the coupons of these watermarks in their epochs.
  void shown(std::span<const Watermark> watermarks, std::chrono::steady_clock::time_point asked_at);

  /// When the gate was last asked and showed the coupon in this epoch; the clock's beginning when it has not,
  /// or has shown a later one.
  std::chrono::steady_clock::time_point shown_at(const std::string& coupon_id, Epoch epoch) const;

  /// Calls `changed` after every rise, on the raising thread. The handle's removal waits for a running call.
  using Listener = std::function<void()>;
  std::size_t listen(Listener changed);
  void forget(std::size_t handle);

  /// Counts who waits for a coupon, so that a poller asks for those alone.
  void want(const std::string& coupon_id);
  void unwant(const std::string& coupon_id);
  std::vector<std::string> wanted() const;

  /// Grows whenever a coupon is wanted that nobody waited for before.
  std::uint64_t wants() const { return wants_.load(std::memory_order_acquire); }

  /// Notified whenever a user begins to wait for the log or the store; a relay of this process sleeps on it.
  Wake& somebody_waits() { return somebody_waits_; }

 private:
  void raise(std::span<const Watermark> watermarks, Sequence Outbox::Progress::*stage);
  void notify();

  struct Known {
    Outbox::Progress progress;
    std::chrono::steady_clock::time_point shown_at{};  // in that epoch
  };
  /// Null when the watermark is of an earlier epoch than the latest.
  Known* known_in(const Watermark& watermark) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<std::string, Known> coupons_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::size_t> wanted_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> wants_{0};
  Wake somebody_waits_;

  Mutex listeners_mutex_;
  std::map<std::size_t, Listener> listeners_ GUARDED_BY(listeners_mutex_);
  std::size_t next_handle_ GUARDED_BY(listeners_mutex_) = 0;
};

struct AckWaitersOptions {
  std::chrono::milliseconds timeout{5'000};  ///< then the answer is "issued, pending"
  std::chrono::milliseconds tick{50};        ///< how exactly the timeout is kept
  std::size_t waiters_max = 100'000;         ///< more than this are told "not reached" at once
};

/// The requests of one event loop that wait until the log or the store has their sequence.
/// Used from the loop's thread only; its destructor runs there too, or after the loop has ended.
class AckWaiters {
 public:
  using Done = std::function<void(bool reached)>;

  AckWaiters(Loop& loop, Watermarks& watermarks, AckWaitersOptions options = {});
  ~AckWaiters();
  AckWaiters(const AckWaiters&) = delete;
  AckWaiters& operator=(const AckWaiters&) = delete;

  /// Calls `done` once: true as soon as stage `ack` has come to `watermark` in its epoch; false after the
  /// timeout, when the store will not have it, or when the coupon is in a later epoch, where the same
  /// sequence may be another user's.
  void wait(const Watermark& watermark, Ack ack, Done done);

  std::size_t size() const { return size_; }

 private:
  struct Waiter {
    std::chrono::steady_clock::time_point deadline;
    Done done;
  };
  using Queue = std::multimap<std::pair<Epoch, Sequence>, Waiter>;  // by epoch and sequence
  struct Stages {
    Queue log;
    Queue store;
    bool empty() const { return log.empty() && store.empty(); }
  };

  /// Once for all who began to wait in one turn of the loop: the relay runs while the next of them do.
  void wake_relay();
  void sweep();
  /// What waiters were told, for when the queues are in order again.
  struct Answers {
    std::vector<Done> yes;
    std::vector<Done> no;
  };
  void release(Queue& queue, Epoch epoch, Sequence reached, const RejectedSequences& rejected,
               Answers& answers);
  void expire(Queue& queue, std::chrono::steady_clock::time_point now, std::vector<Done>& done);
  void drop_if_empty(std::unordered_map<std::string, Stages>::iterator it);
  void tick();

  Loop& loop_;
  Watermarks& watermarks_;
  const AckWaitersOptions options_;
  std::unordered_map<std::string, Stages> coupons_;
  std::size_t size_ = 0;
  bool ticking_ = false;
  bool wake_posted_ = false;
  std::size_t handle_ = 0;
  std::shared_ptr<struct AckWaitersLife> life_;  // lets posted tasks find out that this object is gone
};

}  // namespace seonchak
