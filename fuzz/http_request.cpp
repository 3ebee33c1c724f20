#include <algorithm>

#include <boost/asio/buffer.hpp>

#include "fuzz.hpp"
#include "http/request.hpp"

using namespace seonchak;

/// The bytes of a connection, in two pieces as TCP may cut them: the first byte says where.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cut = std::min<std::size_t>(data[0], size - 1);
  const std::string_view bytes = fuzz::text_of(data + 1, size - 1);
  Request request;
  RequestParser parser(request);
  parser.header_limit(8 * 1024);
  parser.body_limit(4 * 1024);
  std::size_t used = 0;
  for (const std::size_t end : {cut, bytes.size()}) {
    while (used < end && !parser.is_done()) {
      boost::beast::error_code error;
      const auto part = bytes.substr(used, end - used);
      const std::size_t taken = parser.put(boost::asio::buffer(part.data(), part.size()), error);
      used += taken;
      if (error == boost::beast::http::error::need_more || (!error && taken == 0)) break;
      if (error) return 0;
      // The server answers 501 and closes: what follows such a header is never parsed.
      if (parser.is_header_done() && request.transfer_encoding) return 0;
    }
  }
  if (!parser.is_done()) return 0;
  fuzz::require(request.body.size() <= 4 * 1024);
  fuzz::require(request.target.size() >= request.path().size() || request.path() == "/");
  fuzz::require(request.target.size() >= request.query().size());
  return 0;
}
