#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "http/server.hpp"
#include "http/testing/server.hpp"

namespace seonchak {

using namespace test;

struct BadRequest {
  std::string name;
  std::string bytes;
  int status;
  std::string code;

  friend void PrintTo(const BadRequest& request, std::ostream* out) { *out << request.name; }
};

class BadRequests : public testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, AreAnsweredAndTheConnectionClosed) {
  TestServer server;
  server.start();
  Client client(server.address);
  client.send(GetParam().bytes);
  const Response response = client.receive();
  EXPECT_EQ(response.status, GetParam().status);
  EXPECT_TRUE(response.has("\"code\":\"" + GetParam().code + '"')) << response.body;
  EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(client.closed());
  expect_alive(server);
}

INSTANTIATE_TEST_SUITE_P(
    Server, BadRequests,
    testing::Values(
        BadRequest{"NoHost", "GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"},
        BadRequest{"TwoHosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_request"},
        BadRequest{"TwoHostsInHttp10", "GET /healthz HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400,
                   "bad_request"},
        BadRequest{"Chunked", request("POST", "/v1/coupons", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n",
                   501, "not_implemented"},
        BadRequest{"OtherTransferEncoding", request("POST", "/v1/coupons", "Transfer-Encoding: identity\r\n"),
                   501, "not_implemented"},
        BadRequest{"ObfuscatedTransferEncoding",
                   request("POST", "/v1/coupons", "Transfer-Encoding: xchunked\r\n"), 501, "not_implemented"},
        BadRequest{"TransferEncodingAndLength",
                   request("POST", "/v1/coupons", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") +
                       "0\r\n\r\n",
                   400, "bad_request"},
        BadRequest{"TwoLengths",
                   request("POST", "/v1/coupons", "Content-Length: 1\r\nContent-Length: 2\r\n") + "ab", 400,
                   "bad_request"},
        BadRequest{"NegativeLength", request("POST", "/v1/coupons", "Content-Length: -1\r\n"), 400,
                   "bad_request"},
        BadRequest{"HugeLength",
                   request("POST", "/v1/coupons", "Content-Length: 99999999999999999999999\r\n"), 400,
                   "bad_request"},
        BadRequest{"BodyOver4KBytes", request("POST", "/v1/coupons", "", std::string(4097, ' ')), 413,
                   "body_too_large"},
        BadRequest{"AnnouncedBodyOver4KBytes", request("POST", "/v1/coupons", "Content-Length: 4097\r\n"),
                   413, "body_too_large"},
        BadRequest{"HeaderOver8KBytes", get("/healthz", "X-Long: " + std::string(8192, 'x') + "\r\n"), 431,
                   "headers_too_large"},
        BadRequest{"TargetOver8KBytes", get("/" + std::string(8192, 'x')), 431, "headers_too_large"},
        BadRequest{"EndlessHeader", "GET /healthz HTTP/1.1\r\nX-Long: " + std::string(9000, 'x'), 431,
                   "headers_too_large"},
        BadRequest{"NotHttp", "hello\r\n\r\n", 400, "bad_request"},
        BadRequest{"Tls", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400,
                   "bad_request"},
        BadRequest{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"},
        BadRequest{"BareLineFeeds", "GET /healthz HTTP/1.1\nHost: a\n\n", 400, "bad_request"},
        BadRequest{"SpaceBeforeColon", get("/healthz", "X-A : b\r\n"), 400, "bad_request"},
        BadRequest{"ControlByteInHeader", get("/healthz", "X-A: a\x01z\r\n"), 400, "bad_request"},
        BadRequest{"ControlByteInTarget", get("/healthz\x01"), 400, "bad_request"}),
    [](const auto& info) { return info.param.name; });

}  // namespace seonchak
