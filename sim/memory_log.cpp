#include "sim/memory_log.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

#include "base/mutex.hpp"
#include "base/ticker.hpp"

namespace seonchak::sim {

namespace {

std::string next_topic() {
  static std::atomic<int> count{0};
  return "simulated-" + std::to_string(++count);
}

/// The same in every build, unlike std::hash.
std::uint32_t hash_of(const std::string& key) {
  std::uint32_t hash = 2'166'136'261U;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  return hash;
}

}  // namespace

struct MemoryLog::Shared {
  explicit Shared(MemoryLogOptions given)
      : options(std::move(given)), partitions(static_cast<std::size_t>(options.partitions)) {}

  struct Member {
    int id = 0;
    std::int64_t generation = 0;  // of the assignment that it knows; 0: none
    bool expelled = false;
  };

  const MemoryLogOptions options;
  mutable Mutex mutex;
  std::string topic GUARDED_BY(mutex) = next_topic();
  std::vector<std::vector<IssuedEvent>> partitions GUARDED_BY(mutex);
  std::vector<Member> members GUARDED_BY(mutex);  // the longest-standing first
  int last_member GUARDED_BY(mutex) = 0;
  std::int64_t generation GUARDED_BY(mutex) = 1;
  std::vector<DeadLetter> dead_letters GUARDED_BY(mutex);

  std::size_t partition_of(const std::string& coupon_id) const REQUIRES(mutex) {
    return hash_of(coupon_id) % partitions.size();
  }

  void append(const IssuedEvent& event) REQUIRES(mutex) {
    partitions[partition_of(event.coupon_id)].push_back(event);
  }

  std::vector<std::int32_t> assigned_to(int id) const REQUIRES(mutex) {
    std::vector<int> present;
    for (const Member& member : members) {
      if (!member.expelled) present.push_back(member.id);
    }
    std::vector<std::int32_t> mine;
    for (std::size_t p = 0; p < partitions.size() && !present.empty(); ++p) {
      if (present[p * present.size() / partitions.size()] == id) mine.push_back(static_cast<std::int32_t>(p));
    }
    return mine;
  }
};

class MemoryLog::Publisher final : public EventPublisher {
 public:
  explicit Publisher(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  std::size_t publish(std::span<const IssuedEvent> events) override {
    const std::size_t taken = std::min(events.size(), shared_->options.queue_events_max - queue_.size());
    queue_.insert(queue_.end(), events.begin(), events.begin() + static_cast<std::ptrdiff_t>(taken));
    return taken;
  }

  Report poll(std::chrono::milliseconds) override {
    std::map<std::string, Watermark> confirmed;
    const MutexLock lock(shared_->mutex);
    for (const IssuedEvent& event : std::exchange(queue_, {})) {
      shared_->append(event);
      confirmed[event.coupon_id] = {event.coupon_id, event.sequence, event.epoch};
    }
    Report report;
    for (auto& [coupon_id, watermark] : confirmed) report.confirmed.push_back(std::move(watermark));
    return report;
  }

  std::size_t in_flight() const override { return queue_.size(); }
  bool durable() const override { return shared_->options.durable; }
  Result<void> check() override { return {}; }

 private:
  const std::shared_ptr<Shared> shared_;
  std::vector<IssuedEvent> queue_;
};

class MemoryLog::Consumer final : public EventConsumer {
 public:
  explicit Consumer(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    const MutexLock lock(shared_->mutex);
    topic_ = shared_->topic;
    id_ = ++shared_->last_member;
    shared_->members.push_back({id_, 0, false});
    ++shared_->generation;
  }

  ~Consumer() override {
    const MutexLock lock(shared_->mutex);
    std::erase_if(shared_->members, [this](const auto& member) { return member.id == id_; });
    ++shared_->generation;
  }

  Result<Polled> poll(std::size_t records_max, std::chrono::milliseconds wait) override {
    Polled polled = take(records_max);
    if (polled.reassigned || !polled.records.empty() || wait.count() == 0) return polled;
    ticker().sleep_for(wait);
    return take(records_max);
  }

  Result<void> start_at(std::span<const LogPosition> positions) override {
    for (auto& [partition, next] : next_) {
      const auto named = std::ranges::find(positions, partition, &LogPosition::partition);
      next = named == positions.end() ? 0 : named->next_offset;
    }
    started_ = true;
    return {};
  }

  std::string fingerprint(const LogRecord&) override { return {}; }  // a log made anew has another name

  std::size_t keep(std::span<const LogRecord* const>) override { return 0; }
  std::size_t let_go(const LogRecord&) override { return 0; }

  Result<void> dead_letter(std::span<const RefusedRecord> refused) override {
    const MutexLock lock(shared_->mutex);
    for (const auto& [record, reason] : refused) shared_->dead_letters.push_back({*record, reason});
    return {};
  }

  void committed(std::span<const LogPosition>) override {}

  Reach reach(const std::string& coupon_id) override {
    const MutexLock lock(shared_->mutex);
    const std::size_t partition = shared_->partition_of(coupon_id);
    const auto own = next_.find(static_cast<std::int32_t>(partition));
    const auto end = static_cast<std::int64_t>(shared_->partitions[partition].size());
    return started_ && own != next_.end() && own->second == end ? Reach::to_end : Reach::unknown;
  }
  std::vector<LogPosition> held_back() override { return {}; }

  const std::string& group() const override { return shared_->options.group; }
  const std::string& topic() const override { return topic_; }

 private:
  Polled take(std::size_t records_max) {
    const MutexLock lock(shared_->mutex);
    Polled polled;
    const auto me = std::ranges::find(shared_->members, id_, &Shared::Member::id);
    if (std::exchange(me->expelled, false)) ++shared_->generation;
    if (me->generation != shared_->generation) {
      me->generation = shared_->generation;
      started_ = false;
      next_.clear();
      for (const std::int32_t partition : shared_->assigned_to(id_)) next_[partition] = 0;
    }
    if (!started_) {
      polled.reassigned = true;
      for (const auto& [partition, next] : next_) polled.partitions.push_back(partition);
      return polled;
    }
    for (auto& [partition, next] : next_) {
      const auto& events = shared_->partitions[static_cast<std::size_t>(partition)];
      for (; next < static_cast<std::int64_t>(events.size()) && polled.records.size() < records_max; ++next) {
        polled.records.push_back({partition, next, events[static_cast<std::size_t>(next)]});
      }
    }
    return polled;
  }

  const std::shared_ptr<Shared> shared_;
  int id_ = 0;
  std::string topic_;
  std::map<std::int32_t, std::int64_t> next_;  // the partitions owned, and the next offset to hand out
  bool started_ = false;                       // start_at was called for them
};

class MemoryLog::Tail final : public EventLogTail {
 public:
  explicit Tail(std::shared_ptr<Shared> shared) : shared_(std::move(shared)), topic_(shared_->topic) {}

  Result<std::vector<LogPosition>> ends() override {
    std::vector<LogPosition> ends;
    const MutexLock lock(shared_->mutex);
    for (std::size_t p = 0; p < shared_->partitions.size(); ++p) {
      ends.push_back(
          {static_cast<std::int32_t>(p), static_cast<std::int64_t>(shared_->partitions[p].size())});
    }
    return ends;
  }

  Result<void> start(std::span<const LogPosition> positions) override {
    const MutexLock lock(shared_->mutex);
    next_.assign(shared_->partitions.size(), 0);
    for (const LogPosition& position : positions) {
      const auto p = static_cast<std::size_t>(position.partition);
      if (p >= next_.size()) continue;
      const auto& events = shared_->partitions[p];
      if (position.next_offset <= static_cast<std::int64_t>(events.size())) next_[p] = position.next_offset;
    }
    return {};
  }

  Result<Part> read(std::span<const LogPosition> ends, std::size_t records_max,
                    std::chrono::milliseconds wait) override {
    Part part = take(ends, records_max);
    if (part.at_end || part.advanced || wait.count() == 0) return part;
    ticker().sleep_for(wait);
    return take(ends, records_max);
  }

  void stop() override {}

  const std::string& group() const override { return shared_->options.group; }
  const std::string& topic() const override { return topic_; }

 private:
  Part take(std::span<const LogPosition> ends, std::size_t records_max) {
    Part part;
    part.at_end = true;
    const MutexLock lock(shared_->mutex);
    for (const LogPosition& end : ends) {
      const auto p = static_cast<std::size_t>(end.partition);
      const auto& events = shared_->partitions[p];
      const std::int64_t until = std::min(end.next_offset, static_cast<std::int64_t>(events.size()));
      for (; next_[p] < until && part.events.size() < records_max; ++next_[p])
        part.events.push_back(events[static_cast<std::size_t>(next_[p])]);
      part.at_end = part.at_end && next_[p] >= end.next_offset;
    }
    part.advanced = !part.events.empty();
    return part;
  }

  const std::shared_ptr<Shared> shared_;
  const std::string topic_;
  std::vector<std::int64_t> next_;  // by partition
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

void MemoryLog::expel_a_member() {
  const MutexLock lock(shared_->mutex);
  if (shared_->members.size() < 2) return;
  std::rotate(shared_->members.begin(), shared_->members.begin() + 1, shared_->members.end());
  shared_->members.back().expelled = true;
  ++shared_->generation;
}

void MemoryLog::lose_everything() {
  const MutexLock lock(shared_->mutex);
  for (auto& partition : shared_->partitions) partition.clear();
  shared_->topic = next_topic();
}

void MemoryLog::append(const std::vector<IssuedEvent>& events) {
  const MutexLock lock(shared_->mutex);
  for (const IssuedEvent& event : events) shared_->append(event);
}

std::vector<LogRecord> MemoryLog::records() const {
  std::vector<LogRecord> records;
  const MutexLock lock(shared_->mutex);
  for (std::size_t p = 0; p < shared_->partitions.size(); ++p) {
    for (std::size_t i = 0; i < shared_->partitions[p].size(); ++i) {
      records.push_back(
          {static_cast<std::int32_t>(p), static_cast<std::int64_t>(i), shared_->partitions[p][i]});
    }
  }
  return records;
}

std::vector<MemoryLog::DeadLetter> MemoryLog::dead_letters() const {
  const MutexLock lock(shared_->mutex);
  return shared_->dead_letters;
}

}  // namespace seonchak::sim
