#include "base/metrics.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

TEST(Metrics, PrintsThePrometheusTextFormat) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests.", R"(result="issued")").add(3);
  metrics.counter("requests_total", "Requests.", R"(result="sold_out")").add();
  metrics.gauge("connections", "Open connections.").set(-2);
  EXPECT_EQ(metrics.text(),
            "# HELP requests_total Requests.\n"
            "# TYPE requests_total counter\n"
            "requests_total{result=\"issued\"} 3\n"
            "requests_total{result=\"sold_out\"} 1\n"
            "# HELP connections Open connections.\n"
            "# TYPE connections gauge\n"
            "connections -2\n");
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("latency_seconds", "Latency.");
  histogram.observe_seconds(0.0001);
  histogram.observe_seconds(0.002);
  histogram.observe_seconds(60);
  const std::string text = metrics.text();
  EXPECT_NE(text.find("latency_seconds_bucket{le=\"0.0001\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("latency_seconds_bucket{le=\"0.0025\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("latency_seconds_bucket{le=\"10\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("latency_seconds_bucket{le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(text.find("latency_seconds_count 3\n"), std::string::npos);
}

TEST(Metrics, TheSameNameAndLabelsIsTheSameCounter) {
  Metrics metrics;
  metrics.counter("a_total", "A.").add();
  metrics.counter("a_total", "A.").add();
  EXPECT_EQ(metrics.counter("a_total", "A.").value(), 2U);
}

TEST(Metrics, CountersLoseNothingAcrossThreads) {
  Metrics metrics;
  Counter& counter = metrics.counter("a_total", "A.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) counter.add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000U);
}

}  // namespace
}  // namespace seonchak
