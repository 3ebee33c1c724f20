#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace seonchak {

struct HttpReply {
  int status = 0;
  std::string body;
};

/// A server as the command line names it: "http://127.0.0.1:8080".
struct HttpTarget {
  std::string host;
  std::string port;
};

/// Throws StartupError for anything but http://host[:port]: seonchak itself speaks no TLS.
HttpTarget parse_http_url(const std::string& url);

/// One request and its answer, on a connection of its own; blocks up to `timeout`. A non-empty `body` is sent
/// as JSON, a non-empty `key` as the bearer token. Throws StartupError, saying what to check, when there is
/// no answer.
HttpReply http_call(const HttpTarget& target, std::string_view method, const std::string& path,
                    const std::string& key, const std::string& body, std::chrono::milliseconds timeout);

}  // namespace seonchak
