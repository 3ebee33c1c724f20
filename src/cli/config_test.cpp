#include "cli/config.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace seonchak {
namespace {

std::optional<ServeConfig> read(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "serve");
  std::vector<char*> argv;
  for (std::string& flag : flags) argv.push_back(flag.data());
  return read_serve_config(static_cast<int>(argv.size()), argv.data());
}

std::string refusal(const std::vector<std::string>& flags) {
  try {
    read(flags);
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

TEST(Config, DefaultsAreTheEmbeddedComposition) {
  const auto config = read({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, "127.0.0.1:8080");
  EXPECT_TRUE(config->gate_is_memory());
  EXPECT_TRUE(config->log_is_memory());
  EXPECT_EQ(config->store, "sqlite:seonchak.db");
  EXPECT_EQ(config->roles.size(), 3U);
  EXPECT_EQ(config->log_group, "coupon");
}

TEST(Config, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  const auto path =
      std::filesystem::temp_directory_path() / ("seonchak_config_" + std::to_string(getpid()) + ".toml");
  std::ofstream(path)
      << "listen = \"127.0.0.1:1\"\nlog-group = \"from-file\"\nadmin-key = \"file\"\nthreads = 3\n"
      << "log-option = [\"linger.ms=7\", \"sasl.mechanisms=PLAIN\"]\n";
  setenv("SEONCHAK_LISTEN", "127.0.0.1:2", 1);
  setenv("SEONCHAK_ADMIN_KEY", "environment", 1);
  const auto config = read({"--config", path.string(), "--listen", "127.0.0.1:3"});
  unsetenv("SEONCHAK_LISTEN");
  unsetenv("SEONCHAK_ADMIN_KEY");
  std::filesystem::remove(path);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, "127.0.0.1:3");
  EXPECT_EQ(config->admin_key, "environment");
  EXPECT_EQ(config->log_group, "from-file");
  EXPECT_EQ(config->threads, 3U);
  ASSERT_EQ(config->log_options.size(), 2U);
  EXPECT_EQ(config->log_options[0], std::pair(std::string("linger.ms"), std::string("7")));
}

TEST(Config, AnUnknownKeyInTheFileIsRefused) {
  const auto path =
      std::filesystem::temp_directory_path() / ("seonchak_extra_" + std::to_string(getpid()) + ".toml");
  std::ofstream(path) << "lissten = \"127.0.0.1:1\"\n";
  EXPECT_NE(refusal({"--config", path.string()}).find("lissten"), std::string::npos);
  std::filesystem::remove(path);
}

TEST(Config, RolesAreAList) {
  const auto config = read({"--roles", "api,relay", "--gate", "redis://h:1/0", "--log", "kafka://h:1/t",
                            "--store", "postgresql://u@h/d"});
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->has(Role::api));
  EXPECT_TRUE(config->has(Role::relay));
  EXPECT_FALSE(config->has(Role::consumer));
  EXPECT_NE(refusal({"--roles", "api,writer"}).find("unknown role 'writer'"), std::string::npos);
}

TEST(Config, CompositionsThatCannotWorkSayWhatToChange) {
  const std::string redis = "redis://127.0.0.1:6379/0";
  const std::string kafka = "kafka://127.0.0.1:9092/coupon-issue";
  const std::string postgres = "postgresql://u@127.0.0.1/d";
  EXPECT_NE(refusal({"--gate", "etcd://x"}).find("use memory, redis://"), std::string::npos);
  EXPECT_NE(refusal({"--gate", redis, "--log", "nats://x"}).find("use memory, or kafka://"),
            std::string::npos);
  EXPECT_NE(refusal({"--store", "mysql://x"}).find("use sqlite:PATH or postgresql://"), std::string::npos);
  EXPECT_NE(refusal({"--log", kafka}).find("--gate redis://"), std::string::npos);
  EXPECT_NE(refusal({"--store", postgres}).find("--gate redis://"), std::string::npos);
  EXPECT_NE(refusal({"--roles", "api"}).find("--gate redis://"), std::string::npos);
  EXPECT_NE(refusal({"--gate", redis, "--roles", "api"}).find("--log kafka://"), std::string::npos);
  EXPECT_NE(refusal({"--gate", redis, "--log", kafka, "--roles", "api"}).find("--store postgresql://"),
            std::string::npos);
  EXPECT_EQ(refusal({"--gate", redis, "--log", kafka, "--store", postgres, "--roles", "api"}), "");
}

TEST(Config, PasswordsNeverReachTheLog) {
  EXPECT_EQ(without_password("redis://:secret@h:1/0"), "redis://:***@h:1/0");
  EXPECT_EQ(without_password("postgresql://u:p@ss@h/d"), "postgresql://u:***@h/d");
  EXPECT_EQ(without_password("postgresql://u@h/d?x=a:b@c"), "postgresql://u@h/d?x=a:b@c");
  EXPECT_EQ(without_password("sqlite:a:b@c"), "sqlite:a:b@c");
  EXPECT_EQ(refusal({"--gate", "etcd://u:secret@x"}).find("secret"), std::string::npos);
}

TEST(Config, BadFlagsNameThemselves) {
  EXPECT_NE(refusal({"--lissten", "x"}).find("--lissten"), std::string::npos);
  EXPECT_NE(refusal({"--threads", "many"}).find("threads"), std::string::npos);
  EXPECT_NE(refusal({"--log-option", "novalue"}).find("property=value"), std::string::npos);
}

}  // namespace
}  // namespace seonchak
