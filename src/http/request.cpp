#include "http/request.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace seonchak {

namespace http = boost::beast::http;

void Request::clear() {
  method = http::verb::unknown;
  target.clear();
  version = 11;
  host.clear();
  hosts = 0;
  user_id.clear();
  user_ids = 0;
  authorization.clear();
  authorizations = 0;
  content_type.clear();
  origin.clear();
  transfer_encoding = false;
  expects_continue = false;
  body.clear();
}

std::string_view Request::path() const {
  std::string_view text = target;
  text = text.substr(0, text.find('?'));
  if (text.starts_with('/')) return text;
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return text;
  const auto path_start = text.find('/', scheme_end + 3);
  return path_start == std::string_view::npos ? std::string_view("/") : text.substr(path_start);
}

std::string_view Request::query() const {
  const std::string_view text = target;
  const auto mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
}

void RequestParser::on_request_impl(http::verb method, string_view, string_view target, int version,
                                    error_code&) {
  request_.method = method;
  request_.target.assign(target.data(), target.size());
  request_.version = static_cast<unsigned>(version);
}

void RequestParser::on_field_impl(http::field name, string_view name_text, string_view value, error_code&) {
  switch (name) {
    case http::field::host:
      ++request_.hosts;
      request_.host.assign(value.data(), value.size());
      return;
    case http::field::transfer_encoding:
      request_.transfer_encoding = true;
      return;
    case http::field::authorization:
      ++request_.authorizations;
      request_.authorization.assign(value.data(), value.size());
      return;
    case http::field::content_type:
      request_.content_type.assign(value.data(), value.size());
      return;
    case http::field::origin:
      request_.origin.assign(value.data(), value.size());
      return;
    case http::field::expect:
      request_.expects_continue = boost::beast::iequals(value, "100-continue");
      return;
    case http::field::unknown:
      break;
    default:
      return;
  }
  if (!boost::beast::iequals(name_text, "X-User-Id")) return;
  ++request_.user_ids;
  request_.user_id.assign(value.data(), value.size());
}

std::size_t RequestParser::on_body_impl(string_view part, error_code&) {
  request_.body.append(part.data(), part.size());
  return part.size();
}

// A chunked body is refused before it is read, and responses are not read at all.
void RequestParser::on_response_impl(int, string_view, int, error_code& error) {
  error = http::error::bad_version;
}
void RequestParser::on_chunk_header_impl(std::uint64_t, string_view, error_code& error) {
  error = http::error::bad_transfer_encoding;
}
std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view, error_code& error) {
  error = http::error::bad_transfer_encoding;
  return 0;
}
void RequestParser::on_header_impl(error_code&) {}
void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) {}
void RequestParser::on_finish_impl(error_code&) {}

}  // namespace seonchak
