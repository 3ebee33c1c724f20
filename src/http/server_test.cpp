#include "http/server.hpp"

#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "http/testing/server.hpp"

namespace seonchak {

using namespace test;
using std::chrono::milliseconds;

TEST(Server, AConnectionServesManyRequests) {
  TestServer server;
  server.start();
  Client client(server.address);
  for (int i = 0; i < 3; ++i) {
    const Response response = client.ask(get("/healthz"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, R"({"status":"ok"})");
    EXPECT_EQ(response.header("Connection"), "");
    EXPECT_EQ(response.header("Content-Type"), "application/json");
    EXPECT_EQ(response.header("Server"), "seonchak");
    EXPECT_EQ(response.header("Date").size(), 29U);
  }
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  server.start();
  const std::string id = server.coupon(2);
  Client client(server.address);
  ASSERT_TRUE(client.send(get("/healthz") + issue(id, "ann") + get("/v1/coupons/" + id) + issue(id, "bob") +
                          get("/nowhere") + issue(id, "cat")));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.receive().has(R"("sequence":1)"));
  EXPECT_TRUE(client.receive().has(R"("issued":1)"));
  EXPECT_TRUE(client.receive().has(R"("sequence":2)"));
  EXPECT_EQ(client.receive().status, 404);
  EXPECT_EQ(client.receive().status, 409);
}

TEST(Server, ManyPipelinedRequestsOverflowNoBuffer) {
  TestServer server;
  server.start();
  constexpr int requests = 2'000;
  Client client(server.address);
  std::thread sender([&] {
    for (int i = 0; i < requests; ++i) client.send(get(i % 10 == 0 ? "/metrics" : "/healthz"));
  });
  for (int i = 0; i < requests; ++i) ASSERT_EQ(client.receive().status, 200) << i;
  sender.join();
}

TEST(Server, ARequestMayArriveByteByByte) {
  TestServer server;
  server.start();
  Client client(server.address);
  for (const char byte : request("GET", "/healthz", "Content-Type: text/plain\r\n", "ignored")) {
    ASSERT_TRUE(client.send({&byte, 1}));
  }
  EXPECT_EQ(client.receive().status, 200);
}

TEST(Server, CloseIsAnnouncedAndDoneWhenAsked) {
  TestServer server;
  server.start();
  Client client(server.address);
  const Response response = client.ask(get("/healthz", "Connection: close\r\n"));
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST(Server, Http10ClosesUnlessAskedToKeepAlive) {
  TestServer server;
  server.start();
  Client closing(server.address);
  EXPECT_EQ(closing.ask("GET /healthz HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_TRUE(closing.closed());
  Client keeping(server.address);
  for (int i = 0; i < 2; ++i) {
    const Response response = keeping.ask("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(response.header("Connection"), "keep-alive");
  }
}

TEST(Server, HeadIsGetWithoutTheBody) {
  TestServer server;
  server.start();
  Client client(server.address);
  const Response head = client.ask(request("HEAD", "/healthz"), true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "15");
  EXPECT_EQ(client.ask(get("/healthz")).body.size(), 15U);
}

TEST(Server, TheAbsoluteFormOfATargetIsUnderstood) {
  TestServer server;
  server.start();
  EXPECT_EQ(server.ask(get("http://localhost/healthz?x=1")).status, 200);
  EXPECT_EQ(server.ask(get("http://localhost")).status, 404);
}

TEST(Server, ExpectContinueIsAnsweredBeforeTheBody) {
  TestServer server;
  server.start();
  const std::string body = R"({"name":"Tea","stock":5})";
  Client client(server.address);
  const Response go =
      client.ask("POST /v1/coupons HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(go.status, 100);
  EXPECT_EQ(client.ask(body).status, 201);
}

TEST(Server, AHeaderOf8KBytesPassesAndOneSentInPiecesIsStillLimited) {
  TestServer server;
  server.start();
  const std::string line = "X-Filler: " + std::string(88, 'x') + "\r\n";
  std::string fitting;
  while (get("/healthz", fitting + line).size() <= 8192) fitting += line;
  EXPECT_EQ(server.ask(get("/healthz", fitting)).status, 200);

  Client client(server.address);
  client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
  for (int i = 0; i < 200 && client.send(line); ++i) std::this_thread::yield();
  client.send("\r\n");
  EXPECT_EQ(client.receive().status, 431);
  expect_alive(server);
}

TEST(Server, ABodyOf4KBytesIsRead) {
  TestServer server;
  server.start();
  Client client(server.address);
  EXPECT_EQ(client.ask(request("GET", "/healthz", "", std::string(4096, 'x'))).status, 200);
  EXPECT_EQ(client.ask(get("/healthz")).status, 200);
}

TEST(Server, AHalfSentRequestIsEndedByItsDeadlineHoweverSlowlyItGrows) {
  TestServer server;
  server.options.request_timeout = milliseconds(300);
  server.start();
  Client silent(server.address);
  ASSERT_TRUE(silent.send("GET /healthz HT"));
  Client without_body(server.address);
  ASSERT_TRUE(
      without_body.send("POST /v1/coupons HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"));
  Client dripping(server.address);
  dripping.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
  std::atomic<bool> stop = false;
  std::thread drip([&] {
    while (!stop && dripping.send("X-A: b\r\n")) std::this_thread::sleep_for(milliseconds(20));
  });
  for (Client* client : {&silent, &without_body, &dripping}) {
    const Response response = client->receive();
    EXPECT_EQ(response.status, 408);
    EXPECT_TRUE(response.has("request_timeout"));
    EXPECT_TRUE(client->ends());
  }
  stop = true;
  drip.join();
  expect_alive(server);
  EXPECT_TRUE(server.metrics_have(R"(seonchak_http_rejected_total{reason="request_timeout"} 3)"));
}

TEST(Server, AnIdleConnectionIsClosedWithoutAWord) {
  TestServer server;
  server.options.idle_timeout = milliseconds(100);
  server.start();
  Client fresh(server.address);
  Client used(server.address);
  EXPECT_EQ(used.ask(get("/healthz")).status, 200);
  EXPECT_TRUE(fresh.closed());
  EXPECT_TRUE(used.closed());
}

TEST(Server, AClientThatDoesNotReadItsAnswersIsCutOff) {
  TestServer server;
  server.options.write_timeout = milliseconds(200);
  server.start();
  Client client(server.address);
  std::string batch;
  for (int i = 0; i < 100; ++i) batch += get("/metrics");
  while (client.send(batch)) {
  }
  EXPECT_TRUE(server.metrics_have(R"(seonchak_http_rejected_total{reason="slow_reader"} 1)"));
  expect_alive(server);
}

TEST(Server, ConnectionsBeyondTheLimitAreTurnedAway) {
  TestServer server;
  server.options.connections_max = 2;
  server.start();
  Client first(server.address);
  auto second = std::make_unique<Client>(server.address);
  EXPECT_EQ(first.ask(get("/healthz")).status, 200);
  EXPECT_EQ(second->ask(get("/healthz")).status, 200);
  Client third(server.address);
  const Response refusal = third.receive();
  EXPECT_EQ(refusal.status, 503);
  EXPECT_TRUE(refusal.has("overloaded"));
  EXPECT_EQ(first.ask(get("/healthz")).status, 200);
  EXPECT_TRUE(server.metrics_have(R"(seonchak_http_rejected_total{reason="too_many_connections"} 1)"));
  second.reset();
  while (server.ask(get("/healthz")).status != 200) std::this_thread::sleep_for(milliseconds(5));
}

TEST(Server, AThousandIdleConnectionsDisturbNobody) {
  TestServer server;
  server.start();
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 1'000; ++i) {
    idle.push_back(std::make_unique<Client>(server.address));
    ASSERT_TRUE(idle.back()->connected());
  }
  expect_alive(server);
  for (const auto& client : idle) ASSERT_EQ(client->ask(get("/healthz")).status, 200);
  while (!server.metrics_have("seonchak_http_connections 1000")) std::this_thread::sleep_for(milliseconds(5));
}

TEST(Server, WithoutFileDescriptorsNewConnectionsWaitAndOldOnesAreServed) {
  TestServer server;
  server.start();
  Client old(server.address);
  EXPECT_EQ(old.ask(get("/healthz")).status, 200);
  const int next = ::dup(0);
  ASSERT_GT(next, 0);
  ::close(next);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit one_more{static_cast<rlim_t>(next) + 1, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);
  Client waiting(server.address);
  EXPECT_TRUE(waiting.send(get("/healthz")));
  EXPECT_EQ(old.ask(get("/healthz")).status, 200);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(waiting.receive().status, 200);
}

TEST(Server, AClientThatLeavesWhileItsCouponIsDecidedHurtsNobody) {
  TestServer server;
  std::promise<ClaimHandler> held;
  server.claim = [&](const ClaimBatch&, ClaimHandler handler) { held.set_value(std::move(handler)); };
  server.options.drain_timeout = milliseconds(50);
  server.start();
  const std::string id = server.coupon(1);
  {
    Client client(server.address);
    client.send(issue(id, "ann"));
    held.get_future().wait();
  }
  expect_alive(server);
  EXPECT_FALSE(server.server->drain()) << "the request is still waiting for the gate";
}

TEST(Server, DrainAnswersWhatIsInFlightAndClosesTheRest) {
  TestServer server;
  std::promise<std::function<void()>> decide;
  server.claim = [&](ClaimBatch batch, ClaimHandler handler) {
    decide.set_value([&server, batch = std::move(batch), handler = std::move(handler)]() mutable {
      server.gate.claim(std::move(batch), std::move(handler));
    });
  };
  server.options.drain_timeout = milliseconds(60'000);
  boost::asio::io_context* loop = nullptr;
  server.on_make_gate = [&](boost::asio::io_context& context) { loop = &context; };
  server.start();
  const std::string id = server.coupon(1);
  Client idle(server.address);
  EXPECT_EQ(idle.ask(get("/healthz")).status, 200);
  const std::string late = get("/healthz");
  Client half(server.address);
  // In one segment with a whole request, so that its answer proves that the half has arrived.
  EXPECT_EQ(half.ask(get("/healthz") + late.substr(0, 10)).status, 200);
  Client asking(server.address);
  asking.send(issue(id, "ann"));
  auto answer = decide.get_future().get();

  auto drained = std::async(std::launch::async, [&] { return server.server->drain(); });
  EXPECT_TRUE(idle.closed());
  half.send(late.substr(10));
  EXPECT_EQ(half.receive().header("Connection"), "close");
  boost::asio::post(*loop, std::move(answer));
  const Response issued = asking.receive();
  EXPECT_EQ(issued.status, 201);
  EXPECT_EQ(issued.header("Connection"), "close");
  EXPECT_TRUE(drained.get());
  EXPECT_FALSE(Client(server.address).connected());
}

TEST(Server, DrainGivesUpAfterItsTimeout) {
  TestServer server;
  std::promise<void> asked;
  server.claim = [&](const ClaimBatch&, const ClaimHandler&) { asked.set_value(); };
  server.options.drain_timeout = milliseconds(50);
  server.start();
  const std::string id = server.coupon(1);
  Client asking(server.address);
  asking.send(issue(id, "ann"));
  asked.get_future().wait();
  EXPECT_FALSE(server.server->drain());
  EXPECT_TRUE(asking.ends());
}

TEST(Server, AnAddressThatIsTakenIsAStartupError) {
  TestServer server;
  server.start();
  TestServer second;
  second.options.listen = server.address;
  try {
    second.start();
    FAIL() << "both listen on " << server.address;
  } catch (const StartupError& error) {
    EXPECT_NE(std::string(error.what()).find("--listen"), std::string::npos) << error.what();
  }
}

TEST(Server, AWrongAddressIsAStartupError) {
  for (const char* const address : {"localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536",
                                    "192.0.2.1:0", "no such host:80", ""}) {
    TestServer server;
    server.options.listen = address;
    EXPECT_THROW(server.start(), StartupError) << address;
  }
}

TEST(Server, TheAddressNamesThePortItGot) {
  TestServer server;
  server.options.threads = 2;
  server.start();
  EXPECT_TRUE(server.address.starts_with("127.0.0.1:"));
  EXPECT_NE(server.address, "127.0.0.1:0");
  EXPECT_TRUE(server.server->loopback());
  for (int i = 0; i < 20; ++i) expect_alive(server);
}

}  // namespace seonchak
