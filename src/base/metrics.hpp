#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.hpp"

namespace seonchak {

/// A count that only grows. Safe from any thread; each of a few threads writes its own cache line.
class Counter {
 public:
  void add(std::uint64_t n = 1) { shards_[shard()].value.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const;

 private:
  static constexpr std::size_t shard_count = 8;
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> value{0};
  };
  static std::size_t shard();
  std::array<Shard, shard_count> shards_;
};

/// A value that goes up and down.
class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Durations in fixed buckets from 100 microseconds to 10 seconds.
class Histogram {
 public:
  static constexpr std::array<double, 16> bounds_s = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  void observe_seconds(double seconds);

 private:
  friend class Metrics;
  std::array<Counter, bounds_s.size() + 1> buckets_;
  std::atomic<std::uint64_t> sum_us_{0};
};

/// The process's metrics, printed in the Prometheus text format 0.0.4.
/// Registering and printing take a lock; counting does not. References stay valid as long as the registry.
class Metrics {
 public:
  /// `labels` is the inside of the braces, for example R"(result="issued")", or empty. The same name may be
  /// registered with several label sets; the first call's help text counts.
  Counter& counter(const std::string& name, const std::string& help, const std::string& labels = "");
  Gauge& gauge(const std::string& name, const std::string& help, const std::string& labels = "");
  Histogram& histogram(const std::string& name, const std::string& help, const std::string& labels = "");

  std::string text() const;

 private:
  struct Entry {
    std::string labels;
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    std::string name;
    std::string help;
    std::string type;
    std::vector<std::unique_ptr<Entry>> entries;
  };
  Entry& entry(const std::string& name, const std::string& help, const std::string& type,
               const std::string& labels) REQUIRES(mutex_);
  static void append(std::string& out, const Family& family, const Entry& entry);

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_ GUARDED_BY(mutex_);
};

}  // namespace seonchak
