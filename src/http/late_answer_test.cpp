#include <gtest/gtest.h>

#include "http/testing/server.hpp"

namespace seonchak {

using namespace test;
using std::chrono::milliseconds;

TEST(LateAnswer, AHolderIsNotToldAndALoserIs) {
  TestServer server;
  server.issuer.answer_limit = milliseconds(-1);
  server.start();
  const std::string id = server.coupon(1);
  Client client(server.address);
  const Response late = client.ask(issue(id, "ann"));
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.header("Retry-After"), "1");
  EXPECT_EQ(late.header("Content-Type"), "application/problem+json");
  EXPECT_TRUE(late.has(R"("code":"unavailable")")) << late.body;
  EXPECT_FALSE(late.has("sequence"));
  EXPECT_TRUE(server.metrics_have("seonchak_answers_late_total 1"));
  EXPECT_EQ(client.ask(issue(id, "bob")).status, 409) << "the connection goes on";
}

// What comes before and after it on the same connection is no matter of the late one.
TEST(LateAnswer, IsReplacedAloneAmongPipelinedAnswers) {
  TestServer server;
  server.issuer.answer_limit = milliseconds(-1);
  server.start();
  const std::string id = server.coupon(2);
  Client client(server.address);
  ASSERT_TRUE(client.send(get("/healthz") + issue(id, "ann") + get("/healthz") + issue(id, "bob") +
                          issue(id, "cat") + get("/nowhere")));
  for (const int status : {200, 503, 200, 503, 409, 404}) EXPECT_EQ(client.receive().status, status);
}

TEST(LateAnswer, PendingHasADeadlineToo) {
  TestServer server;
  server.issuer.answer_limit = milliseconds(-1);
  server.ack.timeout = milliseconds(50);
  server.start();
  const std::string id = server.coupon(1, [](NewCoupon& coupon) { coupon.ack = Ack::store; });
  EXPECT_EQ(server.ask(issue(id, "ann")).status, 503);
}

TEST(LateAnswer, WhatTheStoreHasIsToldAtAnyTime) {
  TestServer server;
  server.issuer.answer_limit = milliseconds(-1);
  server.ack.timeout = std::chrono::minutes(10);
  server.start();
  const std::string id = server.coupon(1, [](NewCoupon& coupon) { coupon.ack = Ack::store; });
  Client client(server.address);
  ASSERT_TRUE(client.send(issue(id, "ann")));
  while (server.gate.state(id)->sequence < 1) std::this_thread::yield();
  const Watermark watermark{id, 1, 1};
  server.watermarks.persisted({&watermark, 1});
  EXPECT_EQ(client.receive().status, 201);
}

}  // namespace seonchak
