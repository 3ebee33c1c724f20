#include "gate/redis/identity.hpp"

#include "gate/redis/command.hpp"

namespace seonchak {

namespace {

/// The value of "name:value\r\n".
std::string_view field(std::string_view info, std::string_view name) {
  std::size_t at = 0;
  while (at < info.size()) {
    const auto end = info.find('\n', at);
    auto line = info.substr(at, end == std::string_view::npos ? end : end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return {};
}

}  // namespace

std::string identity_command() {
  return redis_command({"INFO", "server", "replication"});
}

Result<GateIdentity> read_identity(const redisReply& reply) {
  if (is_error(reply)) {
    return Error{Errc::unavailable, refusal(reply).message + " (grant +info to the user)"};
  }
  const std::string_view info = text_of(reply).value_or("");
  if (field(info, "role") == "slave") return Error{Errc::unavailable, "the server is a read-only replica"};
  GateIdentity identity;
  identity.run_id = field(info, "run_id");
  identity.replication_id = field(info, "master_replid");
  // second_repl_offset is the offset up to which the data is another server's, -1 when none of it is.
  identity.joined = field(info, "second_repl_offset") != "-1";
  if (identity.run_id.empty() || identity.replication_id.empty()) {
    return Error{Errc::unavailable, "redis does not tell its run_id: allow the command INFO"};
  }
  return identity;
}

}  // namespace seonchak
