#include <cstdlib>
#include <optional>

#include <gtest/gtest.h>

#include "gate/redis/redis.hpp"
#include "gate/testing/redis.hpp"

namespace seonchak {
namespace {

using testing::PrivateRedis;

/// A server with a certificate of its own making, for "localhost".
class TlsRedis {
 public:
  TlsRedis() {
    std::string name = (std::filesystem::temp_directory_path() / "seonchak-tls-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no folder for certificates");
    folder_ = name;
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost -keyout " +
        key() + " -out " + certificate() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("the openssl command is not installed");
    port_ = testing::free_port();
    redis_.emplace(std::vector<std::string>{"--tls-port", std::to_string(port_), "--tls-cert-file",
                                            certificate(), "--tls-key-file", key(), "--tls-auth-clients",
                                            "no"});
  }
  ~TlsRedis() { std::filesystem::remove_all(folder_); }

  std::string certificate() const { return (folder_ / "certificate.pem").string(); }

  RedisOptions options(const std::string& host) const {
    RedisOptions options;
    options.url = "rediss://" + host + ":" + std::to_string(port_);
    options.call_timeout = testing::patience;
    return options;
  }

 private:
  std::string key() const { return (folder_ / "key.pem").string(); }

  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  std::optional<PrivateRedis> redis_;
};

TEST(RedisTls, AServerWithATrustedCertificateIsUsed) {
  const TlsRedis redis;
  // OpenSSL's own name for the file of the system's authorities.
  setenv("SSL_CERT_FILE", redis.certificate().c_str(), 1);
  const auto control = make_redis_gate_control(redis.options("localhost"));
  const auto answer = control->check();
  unsetenv("SSL_CERT_FILE");
  EXPECT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(control->check());
}

TEST(RedisTls, AServerNobodyVouchesForIsNot) {
  const TlsRedis redis;
  const auto answer = make_redis_gate_control(redis.options("localhost"))->check();
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("TLS"), std::string::npos) << answer.error().message;
}

TEST(RedisTls, ACertificateForAnotherHostIsNot) {
  const TlsRedis redis;
  setenv("SSL_CERT_FILE", redis.certificate().c_str(), 1);
  const auto answer = make_redis_gate_control(redis.options("127.0.0.1"))->check();
  unsetenv("SSL_CERT_FILE");
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("TLS"), std::string::npos) << answer.error().message;
}

}  // namespace
}  // namespace seonchak
