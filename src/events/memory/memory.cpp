#include "events/memory/memory.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/invariant.hpp"
#include "base/log.hpp"
#include "base/log_limit.hpp"
#include "base/mutex.hpp"

namespace seonchak {

namespace {

constexpr std::int32_t only_partition = 0;

std::string unique_topic() {
  std::random_device random;
  const std::uint64_t bits = (static_cast<std::uint64_t>(random()) << 32) | random();
  return "memory-" + std::to_string(to_millis(now())) + "-" + std::to_string(bits);
}

}  // namespace

struct MemoryLog::Shared {
  explicit Shared(MemoryLogOptions given) : options(std::move(given)) {}

  const MemoryLogOptions options;
  const std::string topic = unique_topic();

  Mutex mutex;
  std::condition_variable appended;
  std::condition_variable trimmed;
  std::deque<IssuedEvent> events GUARDED_BY(mutex);  // events[i] has the offset first_offset + i
  std::int64_t first_offset GUARDED_BY(mutex) = 0;
  bool has_consumer GUARDED_BY(mutex) = false;
  std::deque<DeadLetter> dead_letters GUARDED_BY(mutex);

  bool full() const REQUIRES(mutex) { return events.size() >= options.events_max; }
  std::int64_t end_offset() const REQUIRES(mutex) {
    return first_offset + static_cast<std::int64_t>(events.size());
  }
};

class MemoryLog::Publisher : public EventPublisher {
 public:
  explicit Publisher(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  std::size_t publish(std::span<const IssuedEvent> events) override {
    std::size_t taken = 0;
    {
      const MutexLock lock(shared_->mutex);
      taken = std::min(events.size(), shared_->options.events_max - shared_->events.size());
      shared_->events.insert(shared_->events.end(), events.begin(),
                             events.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    if (taken > 0) shared_->appended.notify_all();
    for (const IssuedEvent& event : events.first(taken))
      confirmed_[event.coupon_id] = {event.coupon_id, event.sequence, event.epoch};
    return taken;
  }

  Report poll(std::chrono::milliseconds wait) override {
    Report report;
    for (auto& [coupon_id, watermark] : std::exchange(confirmed_, {}))
      report.confirmed.push_back(std::move(watermark));
    if (!report.confirmed.empty()) return report;
    MutexLock lock(shared_->mutex);
    lock.wait_for(shared_->trimmed, wait, [this]() REQUIRES(shared_->mutex) { return !shared_->full(); });
    return report;
  }

  std::size_t in_flight() const override { return 0; }
  bool durable() const override { return false; }
  Result<void> check() override { return {}; }

 private:
  std::shared_ptr<Shared> shared_;
  std::unordered_map<std::string, Watermark> confirmed_;  // queued and not yet reported
};

class MemoryLog::Consumer : public EventConsumer {
 public:
  explicit Consumer(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    const MutexLock lock(shared_->mutex);
    invariant(!std::exchange(shared_->has_consumer, true), "this log has one consumer at a time");
  }

  ~Consumer() override {
    const MutexLock lock(shared_->mutex);
    shared_->has_consumer = false;
  }

  Result<Polled> poll(std::size_t records_max, std::chrono::milliseconds wait) override {
    Polled polled;
    if (!started_) {
      if (std::exchange(assigned_, true)) std::this_thread::sleep_for(wait);
      polled.reassigned = true;
      polled.partitions = {only_partition};
      return polled;
    }
    MutexLock lock(shared_->mutex);
    lock.wait_for(shared_->appended, wait,
                  [this]() REQUIRES(shared_->mutex) { return shared_->end_offset() > next_offset_; });
    invariant(next_offset_ >= shared_->first_offset, "nobody trims what the consumer has not seen");
    for (; next_offset_ < shared_->end_offset() && polled.records.size() < records_max; ++next_offset_) {
      const auto index = static_cast<std::size_t>(next_offset_ - shared_->first_offset);
      polled.records.push_back({only_partition, next_offset_, shared_->events[index]});
    }
    return polled;
  }

  Result<void> start_at(std::span<const LogPosition> positions) override {
    const MutexLock lock(shared_->mutex);
    next_offset_ = shared_->first_offset;
    for (const LogPosition& position : positions) {
      if (position.partition == only_partition) {
        next_offset_ = std::clamp(position.next_offset, shared_->first_offset, shared_->end_offset());
      }
    }
    started_ = true;
    return {};
  }

  std::string fingerprint(const LogRecord&) override { return {}; }  // its name is never used again

  // A record is whole by itself.
  std::size_t keep(std::span<const LogRecord* const>) override { return 0; }
  std::size_t let_go(const LogRecord&) override { return 0; }

  Result<void> dead_letter(std::span<const RefusedRecord> refused) override {
    const MutexLock lock(shared_->mutex);
    auto& letters = shared_->dead_letters;
    for (const auto& [record, reason] : refused) {
      if (const auto left_out = log_limit_.line(kind_of_reason(reason)))
        log::error("dead letter", {{"topic", topic()},
                                   {"offset", record->offset},
                                   {"reason", reason},
                                   {"left_out_before", *left_out}});
      letters.push_back({*record, reason});
      if (letters.size() > shared_->options.dead_letters_max) letters.pop_front();
    }
    return {};
  }

  void committed(std::span<const LogPosition> positions) override {
    const MutexLock lock(shared_->mutex);
    for (const LogPosition& position : positions) {
      // Never beyond what was handed out: the rest has not been seen.
      const std::int64_t next = std::min(position.next_offset, next_offset_);
      if (position.partition != only_partition || next <= shared_->first_offset) continue;
      shared_->events.erase(shared_->events.begin(),
                            shared_->events.begin() + (next - shared_->first_offset));
      shared_->first_offset = next;
      shared_->trimmed.notify_all();
    }
  }

  Reach reach(const std::string&) override {
    const MutexLock lock(shared_->mutex);
    return started_ && next_offset_ == shared_->end_offset() ? Reach::to_end : Reach::unknown;
  }
  std::vector<LogPosition> held_back() override { return {}; }

  const std::string& group() const override { return shared_->options.group; }
  const std::string& topic() const override { return shared_->topic; }

 private:
  std::shared_ptr<Shared> shared_;
  LogLimit log_limit_;
  bool assigned_ = false;         // the partition was reported
  bool started_ = false;          // start_at was called
  std::int64_t next_offset_ = 0;  // shared_->first_offset <= next_offset_ once started
};

class MemoryLog::Tail : public EventLogTail {
 public:
  explicit Tail(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Result<std::vector<LogPosition>> ends() override {
    const MutexLock lock(shared_->mutex);
    return std::vector<LogPosition>{{only_partition, shared_->end_offset()}};
  }

  Result<void> start(std::span<const LogPosition> positions) override {
    const MutexLock lock(shared_->mutex);
    const auto named = std::ranges::find(positions, only_partition, &LogPosition::partition);
    const bool fits = named != positions.end() && named->next_offset <= shared_->end_offset();
    next_offset_ = fits ? named->next_offset : 0;
    return {};
  }

  Result<Part> read(std::span<const LogPosition> ends, std::size_t records_max,
                    std::chrono::milliseconds wait) override {
    const auto named = std::ranges::find(ends, only_partition, &LogPosition::partition);
    const std::int64_t end = named == ends.end() ? 0 : named->next_offset;
    Part part;
    MutexLock lock(shared_->mutex);
    if (next_offset_ < end)
      lock.wait_for(shared_->appended, wait,
                    [this]() REQUIRES(shared_->mutex) { return shared_->end_offset() > next_offset_; });
    const std::int64_t began = next_offset_;
    // What the consumer has committed meanwhile is gone, and in the store.
    next_offset_ = std::max(next_offset_, shared_->first_offset);
    const std::int64_t until = std::min(end, shared_->end_offset());
    for (; next_offset_ < until && part.events.size() < records_max; ++next_offset_)
      part.events.push_back(shared_->events[static_cast<std::size_t>(next_offset_ - shared_->first_offset)]);
    part.advanced = next_offset_ > began;
    part.at_end = next_offset_ >= end;
    return part;
  }

  void stop() override {}

  const std::string& group() const override { return shared_->options.group; }
  const std::string& topic() const override { return shared_->topic; }

 private:
  std::shared_ptr<Shared> shared_;
  std::int64_t next_offset_ = 0;
};

MemoryLog::MemoryLog(MemoryLogOptions options) : shared_(std::make_shared<Shared>(std::move(options))) {}
MemoryLog::~MemoryLog() = default;

std::unique_ptr<EventPublisher> MemoryLog::publisher() {
  return std::make_unique<Publisher>(shared_);
}
std::unique_ptr<EventConsumer> MemoryLog::consumer() {
  return std::make_unique<Consumer>(shared_);
}

std::unique_ptr<EventLogTail> MemoryLog::tail() {
  return std::make_unique<Tail>(shared_);
}

std::vector<MemoryLog::DeadLetter> MemoryLog::dead_letters() const {
  const MutexLock lock(shared_->mutex);
  return {shared_->dead_letters.begin(), shared_->dead_letters.end()};
}

}  // namespace seonchak
