#include "base/metrics.hpp"

#include <cmath>
#include <cstdio>

namespace seonchak {

std::size_t Counter::shard() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % shard_count;
  return mine;
}

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
  return sum;
}

void Histogram::observe_seconds(double seconds) {
  std::size_t bucket = 0;
  while (bucket < bounds_s.size() && seconds > bounds_s[bucket]) ++bucket;
  buckets_[bucket].add();
  sum_us_.fetch_add(static_cast<std::uint64_t>(std::llround(seconds * 1e6)), std::memory_order_relaxed);
}

Metrics::Entry& Metrics::entry(const std::string& name, const std::string& help, const std::string& type,
                               const std::string& labels) {
  Family* family = nullptr;
  for (const auto& known : families_) {
    if (known->name == name) family = known.get();
  }
  if (family == nullptr) {
    families_.push_back(std::make_unique<Family>(Family{name, help, type, {}}));
    family = families_.back().get();
  }
  for (const auto& known : family->entries) {
    if (known->labels == labels) return *known;
  }
  family->entries.push_back(std::make_unique<Entry>());
  family->entries.back()->labels = labels;
  return *family->entries.back();
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const std::string& labels) {
  const MutexLock lock(mutex_);
  Entry& found = entry(name, help, "counter", labels);
  if (!found.counter) found.counter = std::make_unique<Counter>();
  return *found.counter;
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const std::string& labels) {
  const MutexLock lock(mutex_);
  Entry& found = entry(name, help, "gauge", labels);
  if (!found.gauge) found.gauge = std::make_unique<Gauge>();
  return *found.gauge;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help, const std::string& labels) {
  const MutexLock lock(mutex_);
  Entry& found = entry(name, help, "histogram", labels);
  if (!found.histogram) found.histogram = std::make_unique<Histogram>();
  return *found.histogram;
}

namespace {

void append_line(std::string& out, const std::string& name, const std::string& labels,
                 const std::string& value) {
  out += name;
  if (!labels.empty()) out += '{' + labels + '}';
  out += ' ' + value + '\n';
}

std::string with_label(const std::string& labels, const std::string& more) {
  return labels.empty() ? more : labels + ',' + more;
}

std::string number(double value) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.9g", value);
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace

void Metrics::append(std::string& out, const Family& family, const Entry& entry) {
  if (entry.counter) append_line(out, family.name, entry.labels, std::to_string(entry.counter->value()));
  if (entry.gauge) append_line(out, family.name, entry.labels, std::to_string(entry.gauge->value()));
  if (!entry.histogram) return;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < entry.histogram->buckets_.size(); ++i) {
    count += entry.histogram->buckets_[i].value();
    const std::string bound = i < Histogram::bounds_s.size() ? number(Histogram::bounds_s[i]) : "+Inf";
    append_line(out, family.name + "_bucket", with_label(entry.labels, "le=\"" + bound + '"'),
                std::to_string(count));
  }
  const auto sum_us = static_cast<double>(entry.histogram->sum_us_.load(std::memory_order_relaxed));
  append_line(out, family.name + "_sum", entry.labels, number(sum_us / 1e6));
  append_line(out, family.name + "_count", entry.labels, std::to_string(count));
}

std::string Metrics::text() const {
  const MutexLock lock(mutex_);
  std::string out;
  for (const auto& family : families_) {
    out += "# HELP " + family->name + ' ' + family->help + '\n';
    out += "# TYPE " + family->name + ' ' + family->type + '\n';
    for (const auto& entry : family->entries) append(out, *family, *entry);
  }
  return out;
}

}  // namespace seonchak
