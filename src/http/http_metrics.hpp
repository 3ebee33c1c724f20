#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.hpp"
#include "core/model/decision.hpp"

namespace seonchak {

/// Why a request or a connection was turned away before any handler saw it.
enum class Rejection {
  too_many_connections,
  malformed,
  headers_too_large,
  body_too_large,
  request_timeout,
  slow_reader
};

/// Counts of what passes through the server. Safe from any thread; counting takes no lock.
class HttpMetrics {
 public:
  /// `routes` are the names of the route classes, as requests are counted by.
  HttpMetrics(Metrics& metrics, std::span<const std::string_view> routes);

  void count_request(std::size_t route, unsigned status) { requests_[route][status / 100 % classes]->add(); }
  void count_rejection(Rejection why) { rejections_[static_cast<std::size_t>(why)]->add(); }
  void count_late() { late_.add(); }
  Gauge& connections() { return connections_; }

 private:
  static constexpr std::size_t classes = 6;  // statuses 100 to 599, by their first digit
  std::vector<std::array<Counter*, classes>> requests_;
  std::array<Counter*, 6> rejections_{};
  Counter& late_;
  Gauge& connections_;
};

/// Counts of what users were told.
class IssueMetrics {
 public:
  explicit IssueMetrics(Metrics& metrics);

  void count(Decision decision) { decisions_[static_cast<std::size_t>(decision)]->add(); }
  Counter& pending() { return pending_; }
  Counter& unavailable() { return unavailable_; }
  Histogram& seconds() { return seconds_; }

 private:
  std::array<Counter*, 6> decisions_{};
  Counter& unavailable_;
  Counter& pending_;
  Histogram& seconds_;
};

}  // namespace seonchak
