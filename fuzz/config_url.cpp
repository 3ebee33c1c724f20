#include <string>

#include "base/error.hpp"
#include "cli/config.hpp"
#include "events/kafka/options.hpp"
#include "fuzz.hpp"
#include "gate/redis/options.hpp"

using namespace seonchak;

namespace {

template <class Parse>
void accept_or_explain(Parse parse) {
  try {
    parse();
  } catch (const StartupError& error) {
    fuzz::require(error.what()[0] != '\0');
  }
}

}  // namespace

/// A URL is taken or refused with a reason; nothing else.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string url(fuzz::text_of(data, size));
  accept_or_explain([&] {
    const RedisAddress address = parse_redis_url(url);
    fuzz::require(!address.server.host.empty() || !address.sentinels.empty());
    for (const RedisEndpoint& sentinel : address.sentinels) fuzz::require(sentinel.port != 0);
    fuzz::require(!address.label().empty());
  });
  accept_or_explain([&] { fuzz::require(!kafka::parse_url(url).brokers.empty()); });
  (void)without_password(url);
  return 0;
}
