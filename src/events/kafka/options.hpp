#pragma once
#include <string>
#include <string_view>

namespace seonchak::kafka {

inline constexpr std::string_view default_topic = "coupon-issue";
inline constexpr std::string_view default_port = "9092";

/// A kafka:// URL, taken apart.
struct Target {
  std::string brokers;  ///< "host:port,host:port": safe to log
  std::string topic = std::string(default_topic);
  bool ssl = false;
  std::string user;  ///< "": no login
  std::string password;

  std::string dead_letter_topic() const { return topic + "-dlt"; }

  /// librdkafka's security.protocol for this URL.
  std::string_view security_protocol() const;
};

/// Throws StartupError that says what is wrong, without the password.
Target parse_url(std::string_view url);

/// Whether a promise (nothing lost, in order, positions kept by the store) rests on this property of
/// librdkafka.
bool reserved_property(std::string_view name);

}  // namespace seonchak::kafka
