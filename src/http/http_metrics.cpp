#include "http/http_metrics.hpp"

namespace seonchak {

namespace {

std::string label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + std::string(value) + '"';
}

}  // namespace

HttpMetrics::HttpMetrics(Metrics& metrics, std::span<const std::string_view> routes)
    : late_(metrics.counter("seonchak_answers_late_total",
                            "Holders' answers whose time was over before they were sent: 503 instead, and "
                            "counted as what they had been, too.")),
      connections_(metrics.gauge("seonchak_http_connections", "Connections that are open.")) {
  for (const std::string_view route : routes) {
    auto& counters = requests_.emplace_back();
    for (std::size_t digit = 0; digit < classes; ++digit) {
      const std::string status = std::to_string(digit) + "xx";
      counters.at(digit) = &metrics.counter("seonchak_http_requests_total", "Requests answered.",
                                            label("route", route) + ',' + label("status", status));
    }
  }
  constexpr std::array<std::string_view, 6> reasons = {"too_many_connections", "malformed",
                                                       "headers_too_large",    "body_too_large",
                                                       "request_timeout",      "slow_reader"};
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    rejections_.at(i) =
        &metrics.counter("seonchak_http_rejected_total", "Requests and connections turned away unread.",
                         label("reason", reasons.at(i)));
  }
}

IssueMetrics::IssueMetrics(Metrics& metrics)
    : unavailable_(metrics.counter("seonchak_answers_total", "What users who asked for a coupon were told.",
                                   label("result", "unavailable"))),
      pending_(metrics.counter("seonchak_answers_pending_total",
                               "Holders told before their coupon's ack stage was reached.")),
      seconds_(metrics.histogram("seonchak_issue_seconds", "From reading an issue request to its answer.")) {
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    decisions_.at(i) =
        &metrics.counter("seonchak_answers_total", "What users who asked for a coupon were told.",
                         label("result", to_string(static_cast<Decision>(i))));
  }
}

}  // namespace seonchak
