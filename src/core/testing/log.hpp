#pragma once
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/ports/event_log.hpp"
#include "core/testing/faults.hpp"

namespace seonchak {

/// A publisher with a network between its queue and the log: events wait in the queue until poll(), which
/// delivers them, or loses them as planned ("publisher_poll": before or after the log had them).
class FaultyPublisher final : public EventPublisher {
 public:
  FaultyPublisher(std::unique_ptr<EventPublisher> inner, FaultPlan& faults, bool durable,
                  std::size_t queue_max)
      : inner_(std::move(inner)), faults_(faults), durable_(durable), queue_max_(queue_max) {}

  std::size_t publish(std::span<const IssuedEvent> events) override {
    if (faults_.next("publish") != Fault::none) return 0;
    if (!events.empty() && no_room_for.contains(events.front().coupon_id)) return 0;
    const std::size_t taken = std::min(events.size(), queue_max_ - queue_.size());
    queue_.insert(queue_.end(), events.begin(), events.begin() + static_cast<std::ptrdiff_t>(taken));
    return taken;
  }

  Report poll(std::chrono::milliseconds) override {
    const Fault fault = faults_.next("publisher_poll");
    if (fault == Fault::before) return lose();
    const std::vector<IssuedEvent> events(queue_.begin(), queue_.end());
    const std::size_t taken = inner_->publish(events);
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken));
    Report report = inner_->poll(std::chrono::milliseconds(0));
    return fault == Fault::after ? lose() : report;
  }

  std::size_t in_flight() const override { return queue_.size(); }
  bool durable() const override { return durable_; }
  Result<void> check() override {
    return faults_.run("log_check", [&] { return inner_->check(); });
  }

  std::set<std::string> no_room_for;  ///< coupons of whose events none is taken

 private:
  Report lose() {
    queue_.clear();
    Report report;
    report.lost = true;
    return report;
  }

  const std::unique_ptr<EventPublisher> inner_;
  FaultPlan& faults_;
  const bool durable_;
  const std::size_t queue_max_;
  std::deque<IssuedEvent> queue_;
};

/// A log whose calls fail as planned, and in which strangers have written, too.
class FaultyConsumer final : public EventConsumer {
 public:
  FaultyConsumer(std::unique_ptr<EventConsumer> inner, FaultPlan& faults)
      : inner_(std::move(inner)), faults_(faults) {}

  Result<Polled> poll(std::size_t records_max, std::chrono::milliseconds wait) override {
    if (faults_.next("consumer_poll") != Fault::none) return FaultPlan::error("consumer_poll");
    auto polled = inner_->poll(records_max, wait);
    if (!polled) return polled;
    last_poll_.clear();
    for (LogRecord& record : polled->records) {
      last_poll_.insert(record.offset);
      if (const auto found = strange.find(record.offset); found != strange.end())
        record.message = found->second;
    }
    return polled;
  }

  Result<void> start_at(std::span<const LogPosition> positions) override {
    kept.clear();
    return faults_.run("start_at", [&] { return inner_->start_at(positions); });
  }
  std::string fingerprint(const LogRecord& record) override { return inner_->fingerprint(record); }
  std::size_t keep(std::span<const LogRecord* const> records) override {
    for (const LogRecord* record : records)
      EXPECT_TRUE(last_poll_.contains(record->offset)) << "only the last poll can be kept";
    for (const LogRecord* record : records) kept.insert(record->offset);
    return bytes_kept_of_each * records.size();
  }
  std::size_t let_go(const LogRecord& record) override {
    EXPECT_EQ(kept.erase(record.offset), 1U);
    return bytes_kept_of_each;
  }
  Result<void> dead_letter(std::span<const RefusedRecord> refused) override {
    for (const auto& [record, reason] : refused)
      EXPECT_TRUE(last_poll_.contains(record->offset) || kept.contains(record->offset));
    return faults_.run("dead_letter", [&] { return inner_->dead_letter(refused); });
  }
  void committed(std::span<const LogPosition> positions) override { inner_->committed(positions); }
  Reach reach(const std::string& coupon_id) override { return inner_->reach(coupon_id); }
  std::vector<LogPosition> held_back() override { return held; }
  const std::string& group() const override { return inner_->group(); }
  const std::string& topic() const override { return inner_->topic(); }

  std::map<std::int64_t, Message> strange;  ///< by offset: what a reader finds there instead
  std::set<std::int64_t> kept;              ///< offsets
  std::vector<LogPosition> held;            ///< what held_back() says
  std::size_t bytes_kept_of_each = 1;

 private:
  std::set<std::int64_t> last_poll_;
  const std::unique_ptr<EventConsumer> inner_;
  FaultPlan& faults_;
};

}  // namespace seonchak
