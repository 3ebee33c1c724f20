#include "cli/http_client.hpp"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url.hpp>

#include "base/error.hpp"

namespace seonchak {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

constexpr std::size_t answer_bytes_max = 16 * 1024 * 1024;

asio::awaitable<HttpReply> call(const HttpTarget& target, const http::request<http::string_body>& request,
                                std::chrono::milliseconds timeout) {
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  stream.expires_after(timeout);
  const auto endpoints = co_await resolver.async_resolve(target.host, target.port, asio::use_awaitable);
  co_await stream.async_connect(endpoints, asio::use_awaitable);
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_bytes_max);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return HttpReply{static_cast<int>(parser.get().result_int()), parser.get().body()};
}

}  // namespace

HttpTarget parse_http_url(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  const bool plain = parsed && parsed->scheme() == "http" && !parsed->host().empty() &&
                     !parsed->has_userinfo() && (parsed->path().empty() || parsed->path() == "/");
  if (!plain)
    throw StartupError("--url " + url + ": use http://host:port, for example http://127.0.0.1:8080");
  std::string host = parsed->host();
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  return {host, parsed->has_port() ? std::string(parsed->port()) : "80"};
}

HttpReply http_call(const HttpTarget& target, std::string_view method, const std::string& path,
                    const std::string& key, const std::string& body, std::chrono::milliseconds timeout) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(path);
  request.version(11);
  request.set(http::field::host, target.host + ':' + target.port);
  request.set(http::field::connection, "close");
  if (!key.empty()) request.set(http::field::authorization, "Bearer " + key);
  if (!body.empty()) {
    request.set(http::field::content_type, "application/json");
    request.body() = body;
  }
  request.prepare_payload();

  asio::io_context loop;
  auto reply = asio::co_spawn(loop, call(target, request, timeout), asio::use_future);
  loop.run();
  try {
    return reply.get();
  } catch (const boost::system::system_error& error) {
    throw StartupError("no answer from http://" + target.host + ':' + target.port + " (" +
                       error.code().message() + "): is the server running there? --url names another");
  }
}

}  // namespace seonchak
