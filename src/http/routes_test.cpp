#include "http/routes.hpp"

#include <gtest/gtest.h>

#include "http/testing/server.hpp"

namespace seonchak {

using namespace test;

namespace {

constexpr std::string_view key_line = "Authorization: Bearer s3cret\r\n";
constexpr std::string_view json_line = "Content-Type: application/json\r\n";

class Routes : public testing::Test {
 protected:
  Response post(std::string_view target, std::string_view body, std::string_view headers = json_line) {
    return server.ask(request("POST", target, headers, body));
  }
  Response patch(std::string_view target, std::string_view body) {
    return server.ask(request("PATCH", target, json_line, body));
  }
  static void expect_problem(const Response& response, int status, std::string_view code) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_TRUE(response.has("\"code\":\"" + std::string(code) + '"')) << response.body;
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
  }

  TestServer server;
};

}  // namespace

TEST_F(Routes, ACouponIsCreatedShownChangedAndClosed) {
  server.start();
  const Response created =
      post("/v1/coupons", R"({"id":"tea","name":"Tea \"1\"","stock":3,"closesAt":"2999-01-01T00:00:00Z"})");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.header("Location"), "/v1/coupons/tea");
  EXPECT_TRUE(created.body.starts_with(
      R"({"id":"tea","name":"Tea \"1\"","stock":3,"issued":0,"remaining":3,"published":0,"persisted":0,"status":"open",)"
      R"("opensAt":null,"closesAt":"2999-01-01T00:00:00.000Z","ack":"gate","closed":false,"createdAt":")"))
      << created.body;

  EXPECT_EQ(server.ask(issue("tea", "ann")).status, 201);
  const Response shown = server.ask(get("/v1/coupons/tea"));
  EXPECT_EQ(shown.status, 200);
  EXPECT_TRUE(shown.has(R"("stock":3,"issued":1,"remaining":2,"published":0,"persisted":0,"status":"open")"));

  const Response changed = patch("/v1/coupons/tea", R"({"stock":1,"closesAt":null})");
  EXPECT_EQ(changed.status, 200);
  EXPECT_TRUE(changed.has(R"("stock":1,"issued":1,"remaining":0)"));
  EXPECT_TRUE(changed.has(R"("status":"sold_out","opensAt":null,"closesAt":null)"));

  const Response closed = post("/v1/coupons/tea/close", "");
  EXPECT_EQ(closed.status, 200);
  EXPECT_TRUE(closed.has(R"("status":"closed")"));
  EXPECT_TRUE(closed.has(R"("closed":true)"));
  EXPECT_EQ(post("/v1/coupons/tea/close", "").status, 200);
}

TEST_F(Routes, ACouponWithoutAnIdIsNumbered) {
  server.start();
  const Response created = post("/v1/coupons", R"({"name":"Tea","stock":3})");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.header("Location"), "/v1/coupons/1");
}

TEST_F(Routes, CreatingRefusesWhatIsWrong) {
  server.start();
  server.coupon(1, [](NewCoupon& coupon) { coupon.id = "tea"; });
  expect_problem(post("/v1/coupons", R"({"id":"tea","name":"Tea","stock":3})"), 409, "coupon_exists");
  expect_problem(post("/v1/coupons", R"({"name":)"), 400, "bad_json");
  expect_problem(post("/v1/coupons", ""), 400, "bad_json");
  expect_problem(post("/v1/coupons", R"({"name":"","stock":0})"), 422, "invalid_coupon");
  expect_problem(post("/v1/coupons", R"({"name":"Tea","stock":3})", "Content-Type: text/plain\r\n"), 415,
                 "unsupported_media_type");
  EXPECT_EQ(post("/v1/coupons", R"({"name":"Tea","stock":3})", "").status, 201);
  EXPECT_EQ(
      post("/v1/coupons", R"({"name":"Tea","stock":3})", "Content-Type: application/json; charset=utf-8\r\n")
          .status,
      201);
}

TEST_F(Routes, AllBadFieldsAreNamedTogether) {
  server.start();
  const Response refused =
      post("/v1/coupons", R"({"name":5,"stock":1e3,"opensAt":"noon","ack":"later","colour":"red"})");
  expect_problem(refused, 422, "invalid_coupon");
  for (const char* const field : {"name", "stock", "opensAt", "ack", "colour"}) {
    EXPECT_TRUE(refused.has("{\"field\":\"" + std::string(field) + "\",")) << field << " in " << refused.body;
  }
}

TEST_F(Routes, ChangingRefusesWhatIsWrong) {
  server.start();
  const std::string id =
      server.coupon(3, [](NewCoupon& coupon) { coupon.closes_at = parse_rfc3339("2999-01-01T00:00:00Z"); });
  const std::string path = "/v1/coupons/" + id;
  EXPECT_EQ(server.ask(issue(id, "ann")).status, 201);
  EXPECT_EQ(server.ask(issue(id, "bob")).status, 201);
  expect_problem(patch(path, R"({"stock":1})"), 409, "stock_below_issued");
  expect_problem(patch(path, R"({"stock":0})"), 422, "invalid_coupon");
  expect_problem(patch(path, R"({"stock":10000001})"), 422, "invalid_coupon");
  expect_problem(patch(path, R"({})"), 422, "invalid_coupon");
  expect_problem(patch(path, R"({"name":"x"})"), 422, "invalid_coupon");
  expect_problem(patch(path, R"([])"), 400, "bad_json");
  expect_problem(patch("/v1/coupons/nosuch", R"({"stock":5})"), 404, "coupon_not_found");
  const Response window = patch(path, R"({"opensAt":"2999-01-02T00:00:00Z"})");
  expect_problem(window, 422, "invalid_coupon");
  EXPECT_TRUE(window.has(R"({"field":"closesAt",)"));
  EXPECT_TRUE(server.ask(get(path)).has(R"("stock":3,"issued":2)"));
}

TEST_F(Routes, AUserGetsOneCouponAndTheSameAnswerAgain) {
  server.start();
  const std::string id = server.coupon(5);
  const Response first = server.ask(issue(id, "a.b@c:d-e_1"));
  EXPECT_EQ(first.status, 201);
  EXPECT_TRUE(first.body.starts_with(R"({"result":"issued","couponId":")" + id +
                                     R"(","userId":"a.b@c:d-e_1","sequence":1,"issuedAt":"20)"))
      << first.body;
  const Response again = server.ask(issue(id, "a.b@c:d-e_1"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body.substr(again.body.find(",\"couponId\"")),
            first.body.substr(first.body.find(",\"couponId\"")));
  EXPECT_TRUE(again.has(R"("result":"already_issued")"));
  EXPECT_TRUE(server.metrics_have(R"(seonchak_answers_total{result="issued"} 1)"));
  EXPECT_TRUE(server.metrics_have(R"(seonchak_answers_total{result="already_issued"} 1)"));
  EXPECT_TRUE(
      server.metrics_have(R"(seonchak_http_requests_total{route="/v1/coupons/{id}/issue",status="2xx"} 2)"));
}

TEST_F(Routes, RefusalsHaveTheirCodes) {
  server.start();
  const std::string small = server.coupon(1);
  EXPECT_EQ(server.ask(issue(small, "ann")).status, 201);
  expect_problem(server.ask(issue(small, "bob")), 409, "sold_out");
  const std::string early =
      server.coupon(1, [](NewCoupon& coupon) { coupon.opens_at = parse_rfc3339("2999-01-01T00:00:00Z"); });
  const Response not_open = server.ask(issue(early, "bob"));
  expect_problem(not_open, 403, "not_open");
  EXPECT_TRUE(not_open.has(R"("opensAt":"2999-01-01T00:00:00.000Z")"));
  const std::string late = server.coupon(1);
  ASSERT_EQ(post("/v1/coupons/" + late + "/close", "").status, 200);
  expect_problem(server.ask(issue(late, "bob")), 403, "closed");
  expect_problem(server.ask(issue("nosuch", "bob")), 404, "coupon_not_found");
}

TEST_F(Routes, IdsAreCheckedBeforeAnythingElse) {
  server.start();
  const std::string id = server.coupon(1);
  const std::string target = "/v1/coupons/" + id + "/issue";
  for (const std::string& user : {std::string(65, 'u'), std::string("a b"), std::string("a/b"),
                                  std::string("\xc3\xa9"), std::string("\"x\""), std::string()}) {
    expect_problem(server.ask(issue(id, user)), 400, "bad_user_id");
  }
  expect_problem(server.ask(request("POST", target)), 400, "bad_user_id");
  expect_problem(server.ask(request("POST", target, "X-User-Id: a\r\nX-User-Id: a\r\n")), 400, "bad_user_id");
  EXPECT_EQ(
      server.ask(request("POST", target, "x-user-ID:  spaces-around  \r\n", "a body is ignored")).status,
      201);
  for (const char* const coupon : {"%00", "a%20b", "%7b1%7d", "%C3%A9", "a%2Fb", ""}) {
    expect_problem(server.ask(issue(coupon, "ann")), 404, "coupon_not_found");
  }
  expect_problem(server.ask(issue(std::string(65, 'c'), "ann")), 404, "coupon_not_found");
  for (const char* const coupon : {"%", "%4", "%zz"})
    expect_problem(server.ask(issue(coupon, "ann")), 400, "bad_request");
}

TEST_F(Routes, EscapesInThePathAreDecodedOnce) {
  server.start();
  const std::string id = server.coupon(1, [](NewCoupon& coupon) { coupon.id = "tea-1"; });
  EXPECT_EQ(server.ask(issue("%74ea%2d1", "ann@x")).status, 201);
  const Response held = server.ask(get("/v1/users/ann%40x/coupons"));
  EXPECT_EQ(held.status, 200);
  EXPECT_TRUE(held.has(R"("couponId":"tea-1")")) << held.body;
  expect_problem(server.ask(get("/v1/coupons/%2574ea-1")), 404, "coupon_not_found");
}

TEST_F(Routes, AnUnreachableGateIsUnavailable) {
  server.claim = [](const ClaimBatch&, const ClaimHandler& handler) {
    handler(Error{Errc::outbox_full, "redis 10.0.0.7 says no"});
  };
  server.start();
  const Response refused = server.ask(issue(server.coupon(1), "ann"));
  expect_problem(refused, 503, "unavailable");
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_TRUE(refused.has("outbox_full"));
  EXPECT_FALSE(refused.has("10.0.0.7"));
  EXPECT_TRUE(server.metrics_have(R"(seonchak_answers_total{result="unavailable"} 1)"));
}

TEST_F(Routes, AnAckThatDoesNotComeInTimeIsPending) {
  server.ack.timeout = std::chrono::milliseconds(50);
  server.start();
  const std::string id = server.coupon(1, [](NewCoupon& coupon) { coupon.ack = Ack::store; });
  const Response issued = server.ask(issue(id, "ann"));
  EXPECT_EQ(issued.status, 202);
  EXPECT_TRUE(issued.has(R"("result":"issued")"));
  EXPECT_TRUE(issued.has(R"("state":"pending"})"));
  EXPECT_TRUE(server.metrics_have("seonchak_answers_pending_total 1"));
}

TEST_F(Routes, AnAckThatComesReleasesTheAnswer) {
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

TEST_F(Routes, AUsersCouponsTellHowFarTheyHaveCome) {
  server.start();
  const std::string saved = server.coupon(1);
  const std::string fresh = server.coupon(1);
  EXPECT_EQ(server.ask(issue(saved, "ann")).status, 201);
  const Time issued_at = server.gate.claim_now({saved, 1, 0, {"ann"}})->claims.front().issued_at;
  ASSERT_TRUE(server.store->save({"coupon", "coupon-issue", {{saved, "ann", 1, issued_at, 1}}, {}}));
  EXPECT_EQ(server.ask(issue(fresh, "ann")).status, 201);
  const Response held = server.ask(get("/v1/users/ann/coupons"));
  EXPECT_EQ(held.status, 200);
  EXPECT_TRUE(held.body.starts_with(R"({"userId":"ann","coupons":[{)"));
  EXPECT_TRUE(held.has("{\"couponId\":\"" + saved + R"(","sequence":1,"issuedAt":")" +
                       format_rfc3339(issued_at) + R"(","state":"persisted"})"))
      << held.body;
  EXPECT_TRUE(held.has(R"("state":"pending"})"));
  EXPECT_EQ(server.ask(get("/v1/users/nobody/coupons")).body, R"({"userId":"nobody","coupons":[]})");
  expect_problem(server.ask(get("/v1/users/a%20b/coupons")), 400, "bad_user_id");
}

TEST_F(Routes, TheListIsPaged) {
  server.start();
  EXPECT_EQ(server.ask(get("/v1/coupons")).body, R"({"coupons":[],"next":null})");
  for (const char* const id : {"a", "b", "c"}) {
    server.coupon(7, [&](NewCoupon& coupon) { coupon.id = id; });
  }
  const Response first = server.ask(get("/v1/coupons?limit=2&other=1"));
  EXPECT_EQ(first.status, 200);
  EXPECT_TRUE(first.body.starts_with(R"({"coupons":[{"id":"a","name":"Tea","stock":7,"opensAt":null)"))
      << first.body;
  EXPECT_TRUE(first.body.ends_with(R"(],"next":"b"})"));
  const Response second = server.ask(get("/v1/coupons?limit=2&after=%62"));
  EXPECT_TRUE(second.has(R"("id":"c")"));
  EXPECT_FALSE(second.has(R"("id":"a")"));
  EXPECT_TRUE(second.body.ends_with(R"(],"next":null})"));
  for (const char* const query : {"limit=0", "limit=1001", "limit=-1", "limit=ten",
                                  "limit=", "limit=9999999999999999999999", "after=a%20b"}) {
    expect_problem(server.ask(get("/v1/coupons?" + std::string(query))), 400, "bad_request");
  }
}

TEST_F(Routes, UnknownPathsAndMethodsAreNamed) {
  server.start();
  for (const char* const path : {"/", "/v1", "/v1/coupons/1/issue/", "/v1/coupons/1/issue/2/3", "/v2/coupons",
                                 "/healthz/", "/HEALTHZ", "/v1/users/ann"}) {
    expect_problem(server.ask(get(path)), 404, "route_not_found");
  }
  expect_problem(server.ask(request("OPTIONS", "*")), 404, "route_not_found");
  const Response wrong = server.ask(request("DELETE", "/v1/coupons/1"));
  expect_problem(wrong, 405, "method_not_allowed");
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, PATCH");
  EXPECT_EQ(server.ask(get("/v1/coupons/1/issue")).header("Allow"), "POST");
  expect_problem(server.ask(request("GRAB", "/healthz")), 501, "not_implemented");
}

TEST_F(Routes, AdministratorsCallsNeedTheKey) {
  server.options.admin_key = "s3cret";
  server.start();
  const std::string id = server.coupon(1);
  const std::string body = R"({"name":"Tea","stock":3})";
  for (const std::string line :
       {"", "Authorization: Bearer s3cre\r\n", "Authorization: Bearer s3cret2\r\n",
        "Authorization: Basic s3cret\r\n", "Authorization: Bearer\r\n", "Authorization: s3cret\r\n",
        "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n"}) {
    const Response refused = post("/v1/coupons", body, line);
    expect_problem(refused, 401, "unauthorized");
    EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer realm=\"seonchak\"");
  }
  expect_problem(server.ask(get("/v1/coupons")), 401, "unauthorized");
  expect_problem(patch("/v1/coupons/" + id, R"({"stock":2})"), 401, "unauthorized");
  expect_problem(post("/v1/coupons/" + id + "/close", ""), 401, "unauthorized");
  EXPECT_EQ(post("/v1/coupons", body, key_line).status, 201);
  EXPECT_EQ(server.ask(get("/v1/coupons", "authorization: bearer s3cret\r\n")).status, 200);
  EXPECT_EQ(server.ask(get("/v1/coupons/" + id)).status, 200);
  EXPECT_EQ(server.ask(issue(id, "ann")).status, 201);
}

TEST_F(Routes, WithoutAKeyOnlyThisMachineIsTrusted) {
  server.start();
  EXPECT_EQ(server.ask(get("/v1/coupons")).status, 200);
  EXPECT_EQ(server.ask(get("/v1/coupons", "Origin: http://localhost\r\n")).status, 200);
  expect_problem(server.ask(get("/v1/coupons", "Origin: https://example.com\r\n")), 401, "unauthorized");
  expect_problem(server.ask(get("/v1/coupons", "Origin: null\r\n")), 401, "unauthorized");
  expect_problem(server.ask("GET /v1/coupons HTTP/1.1\r\nHost: example.com\r\n\r\n"), 401, "unauthorized");
}

TEST_F(Routes, WithoutAKeyAPublicListenerRefusesAdministratorsCalls) {
  server.options.listen = "0.0.0.0:0";
  server.start();
  EXPECT_FALSE(server.server->loopback());
  const Response refused = server.ask(get("/v1/coupons"));
  expect_problem(refused, 401, "unauthorized");
  EXPECT_TRUE(refused.has("--admin-key"));
  EXPECT_EQ(server.ask(get("/healthz")).status, 200);
}

TEST_F(Routes, AFullQueueOfUsersReadsIsOverloadedAndNoMatterOfTheOperators) {
  server.options.reader_queue_max = 0;
  server.start();
  for (const char* path : {"/v1/coupons/1", "/v1/users/ann/coupons"}) {
    const Response refused = server.ask(get(path));
    expect_problem(refused, 503, "unavailable");
    EXPECT_TRUE(refused.has("overloaded"));
  }
  EXPECT_EQ(server.ask(get("/v1/coupons")).status, 200);
}

TEST_F(Routes, AFullQueueOfOperatorsCallsIsOverloaded) {
  server.options.admin_queue_max = 0;
  server.start();
  expect_problem(server.ask(get("/v1/coupons")), 503, "unavailable");
  EXPECT_EQ(server.ask(get("/v1/users/ann/coupons")).status, 200);
}

TEST_F(Routes, ReadinessNamesEachDependency) {
  server.required = {"gate", "store"};
  server.start();
  Response ready = server.ask(get("/readyz"));
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.header("Retry-After"), "1");
  EXPECT_EQ(
      ready.body,
      R"({"status":"unavailable","dependencies":{"gate":{"status":"unknown"},"store":{"status":"unknown"}}})");
  server.health.note("gate", {});
  server.health.note("store", {});
  server.health.note("log", Error{Errc::unavailable, "kafka 10.0.0.7 is down"});
  ready = server.ask(get("/readyz"));
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body,
            R"({"status":"degraded","dependencies":{"gate":{"status":"up"},"log":{"status":"down"},)"
            R"("store":{"status":"up"}}})");
  server.health.note("log", {});
  EXPECT_TRUE(server.ask(get("/readyz")).has(R"("status":"ready")"));
  server.health.note("store", Error{Errc::unavailable, "gone"});
  EXPECT_EQ(server.ask(get("/readyz")).status, 503);
}

TEST_F(Routes, MetricsAreInThePrometheusTextFormat) {
  server.start();
  server.ask(get("/nowhere"));
  const Response metrics = server.ask(get("/metrics"));
  EXPECT_EQ(metrics.status, 200);
  EXPECT_EQ(metrics.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_TRUE(metrics.has("# TYPE seonchak_http_requests_total counter"));
  EXPECT_TRUE(metrics.has(R"(seonchak_http_requests_total{route="other",status="4xx"} 1)"));
  EXPECT_TRUE(metrics.has("seonchak_issue_seconds_count 0"));
}

TEST(RoutesWithoutApi, OnlyTheProcessItselfIsShown) {
  Metrics metrics;
  Health health;
  Server server({.listen = "127.0.0.1:0", .threads = 1, .admin_key = {}, .serve_api = false},
                {.make_gate = {}, .metrics = metrics, .health = health});
  server.start();
  Client client(server.address());
  EXPECT_EQ(client.ask(get("/healthz")).status, 200);
  EXPECT_EQ(client.ask(get("/readyz")).body, R"({"status":"ready","dependencies":{}})");
  EXPECT_EQ(client.ask(get("/metrics")).status, 200);
  for (const std::string& text : {get("/v1/coupons/1"), issue("1", "ann"), get("/v1/coupons")}) {
    const Response refused = client.ask(text);
    EXPECT_EQ(refused.status, 404);
    EXPECT_TRUE(refused.has("route_not_found"));
    EXPECT_TRUE(refused.has("--roles"));
  }
}

}  // namespace seonchak
