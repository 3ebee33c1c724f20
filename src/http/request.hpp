#pragma once
#include <string>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/verb.hpp>

namespace seonchak {

/// One request, reduced to what the handlers look at. Reused for every request of a connection.
struct Request {
  boost::beast::http::verb method = boost::beast::http::verb::unknown;
  std::string target;
  unsigned version = 11;  ///< 10 or 11
  std::string host;
  unsigned hosts = 0;  ///< Host headers
  std::string user_id;
  unsigned user_ids = 0;  ///< X-User-Id headers
  std::string authorization;
  unsigned authorizations = 0;
  std::string content_type;
  std::string origin;
  bool transfer_encoding = false;
  bool expects_continue = false;
  std::string body;

  /// Forgets the last request and keeps the memory.
  void clear();

  /// The target's path, not decoded; of the absolute form ("http://host/path") the part after the host.
  std::string_view path() const;

  /// What follows the "?", not decoded.
  std::string_view query() const;
};

/// Beast's incremental parser, filling a Request instead of a container of every header: no allocation per
/// header.
///
/// Beast limits the length of one header line that has not ended, not the sum of those it has consumed, so
/// whoever feeds it counts the header's bytes. It accepts a missing or double Host and any Transfer-Encoding:
/// see Request.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  explicit RequestParser(Request& request) : request_(request) {}

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb method, string_view method_text, string_view target,
                       int version, error_code& error) override;
  void on_response_impl(int code, string_view reason, int version, error_code& error) override;
  void on_field_impl(boost::beast::http::field name, string_view name_text, string_view value,
                     error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& size, error_code& error) override;
  std::size_t on_body_impl(string_view part, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view part, error_code& error) override;
  void on_finish_impl(error_code& error) override;

  Request& request_;
};

}  // namespace seonchak
