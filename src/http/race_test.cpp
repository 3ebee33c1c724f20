#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "http/testing/server.hpp"

namespace seonchak {

using namespace test;

/// Clients on several threads race for one coupon through two event loops; others meanwhile look at it and
/// change it.
TEST(Race, ExactlyTheStockIsIssuedAndEveryAnswerAgrees) {
  constexpr int clients = 6;
  constexpr int users = 150;
  constexpr std::int64_t stock = 50;
  TestServer server;
  server.options.threads = 2;
  server.start();
  const std::string id = server.coupon(stock);

  std::mutex mutex;
  std::map<std::string, std::set<std::string>> sequences;  // by user
  std::map<int, int> statuses;
  const auto ask_for_all = [&](int first) {
    Client client(server.address);
    for (int i = 0; i < users; ++i) {
      const std::string user = "user-" + std::to_string((first * 37 + i) % users);
      const Response response = client.ask(issue(id, user));
      const std::lock_guard lock(mutex);
      ++statuses[response.status];
      if (response.status > 201) continue;
      const auto at = response.body.find("\"sequence\":");
      sequences[user].insert(response.body.substr(at, response.body.find(',', at) - at));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i) threads.emplace_back(ask_for_all, i);
  threads.emplace_back([&] {
    Client client(server.address);
    for (int i = 0; i < 20; ++i) {
      client.ask(get("/v1/coupons/" + id));
      client.ask(get("/v1/users/user-1/coupons"));
      client.ask(get("/metrics"));
      client.ask(request("POST", "/v1/coupons", "", R"({"name":"other","stock":1})"));
      client.ask(issue("nosuch", "user-1"));
    }
  });
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(statuses[201], stock);
  EXPECT_EQ(statuses[201] + statuses[200] + statuses[409], clients * users);
  EXPECT_EQ(sequences.size(), static_cast<std::size_t>(stock));
  std::set<std::string> distinct;
  for (const auto& [user, seen] : sequences) {
    EXPECT_EQ(seen.size(), 1U) << user;
    distinct.insert(seen.begin(), seen.end());
  }
  EXPECT_EQ(distinct.size(), static_cast<std::size_t>(stock));
  EXPECT_EQ(server.gate.state(id)->issued, stock);
}

TEST(Race, ADrainAmidRequestsAnswersOrRefusesButNeverHangs) {
  TestServer server;
  server.options.threads = 2;
  server.start();
  const std::string id = server.coupon(1'000'000);
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Client client(server.address);
      for (int n = 0;; ++n) {
        const Response response = client.ask(issue(id, std::to_string(i) + '-' + std::to_string(n)));
        if (response.status == 0) return;
        EXPECT_EQ(response.status, 201);
        ++answered;
        if (response.header("Connection") == "close") return;
      }
    });
  }
  while (answered < 100) std::this_thread::yield();
  EXPECT_TRUE(server.server->drain());
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(server.gate.state(id)->issued, answered.load());
}

}  // namespace seonchak
