#include "events/kafka/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"

namespace seonchak::kafka {

namespace {

constexpr std::size_t topic_bytes_max = 249;  // Kafka's own limit
constexpr std::string_view dead_letter_suffix = "-dlt";

[[noreturn]] void refuse(std::string_view problem) {
  throw StartupError("the Kafka URL " + std::string(problem) +
                     "; write kafka://host:port[,host:port]/topic, or kafka+ssl:// for TLS");
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned code = 0;
    const std::string_view hex = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (hex.size() != 2 || error != std::errc() || end != hex.data() + 2)
      refuse("has a % without two hex digits");
    out += static_cast<char>(code);
    i += 2;
  }
  return out;
}

bool valid_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

/// "host", "host:port", "[v6]" or "[v6]:port", with the port made explicit.
std::string broker(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = colon == std::string_view::npos ? default_port : text.substr(colon + 1);
  if (host.empty() || host == "[]" || host.starts_with('[') != host.ends_with(']'))
    refuse("has an empty or broken host");
  if (!valid_port(port)) refuse("has a port that is not 1 to 65535");
  return std::string(host) + ":" + std::string(port);
}

std::string brokers(std::string_view list) {
  std::string out;
  while (true) {
    const std::size_t comma = list.find(',');
    if (!out.empty()) out += ',';
    out += broker(list.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

bool valid_topic(std::string_view topic) {
  if (topic == "." || topic == ".." || topic.size() + dead_letter_suffix.size() > topic_bytes_max)
    return false;
  return std::ranges::all_of(topic, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

void read_login(std::string_view login, Target& target) {
  const std::size_t colon = login.find(':');
  if (colon == std::string_view::npos || colon == 0) refuse("has a login that is not user:password");
  target.user = percent_decoded(login.substr(0, colon));
  target.password = percent_decoded(login.substr(colon + 1));
}

}  // namespace

std::string_view Target::security_protocol() const {
  if (user.empty()) return ssl ? "ssl" : "plaintext";
  return ssl ? "sasl_ssl" : "sasl_plaintext";
}

Target parse_url(std::string_view url) {
  Target target;
  const std::size_t scheme_end = url.find("://");
  const std::string_view scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos || (scheme != "kafka" && scheme != "kafka+ssl")) {
    refuse("does not start with kafka:// or kafka+ssl://");
  }
  target.ssl = scheme == "kafka+ssl";
  url.remove_prefix(scheme_end + 3);
  if (url.find_first_of("?#") != std::string_view::npos) refuse("has a query or a fragment");

  const std::size_t slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    read_login(authority.substr(0, at), target);
    authority.remove_prefix(at + 1);
  }
  target.brokers = brokers(authority);

  const std::string_view path = slash == std::string_view::npos ? "" : url.substr(slash + 1);
  if (!path.empty()) target.topic = percent_decoded(path);
  if (!valid_topic(target.topic)) refuse("has a topic name that Kafka does not allow");
  return target;
}

bool reserved_property(std::string_view name) {
  // With their aliases in librdkafka.
  static constexpr std::array<std::string_view, 18> reserved = {"acks",
                                                                "allow.auto.create.topics",
                                                                "request.required.acks",
                                                                "auto.commit.enable",
                                                                "auto.offset.reset",
                                                                "bootstrap.servers",
                                                                "delivery.timeout.ms",
                                                                "enable.auto.commit",
                                                                "enable.auto.offset.store",
                                                                "enable.idempotence",
                                                                "group.id",
                                                                "isolation.level",
                                                                "message.timeout.ms",
                                                                "metadata.broker.list",
                                                                "partition.assignment.strategy",
                                                                "partitioner",
                                                                "queuing.strategy",
                                                                "transactional.id"};
  return std::ranges::find(reserved, name) != reserved.end();
}

}  // namespace seonchak::kafka
