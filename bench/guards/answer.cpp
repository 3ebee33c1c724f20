#include <benchmark/benchmark.h>
#include <boost/asio/buffer.hpp>

#include "http/problem.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "http/routes.hpp"

namespace seonchak {
namespace {

constexpr std::string_view request_text =
    "POST /v1/coupons/lunch/issue HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: app/1.0\r\n"
    "Accept: */*\r\nX-User-Id: user-1234567\r\nContent-Length: 0\r\n\r\n";

/// A loser's way without the socket: bytes in, bytes out.
void parse_route_refuse(benchmark::State& state) {
  const Router router(true);
  Request request;
  HttpDate date;
  std::string scratch;
  std::string out;
  for (auto _ : state) {
    request.clear();
    RequestParser parser(request);
    boost::beast::error_code error;
    parser.put(boost::asio::buffer(request_text.data(), request_text.size()), error);
    const auto found = router.find(request, scratch);
    benchmark::DoNotOptimize(found.route);
    out.clear();
    append_response(out, to_answer({ProblemCode::sold_out, "Every one of these coupons has been issued."}),
                    {}, date.now());
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(parse_route_refuse);

}  // namespace
}  // namespace seonchak
