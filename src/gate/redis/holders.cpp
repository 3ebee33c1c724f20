#include "gate/redis/holders.hpp"

#include "gate/redis/command.hpp"
#include "gate/redis/scripts.hpp"

namespace seonchak {

namespace {

/// Elements per page, a hint to the server.
constexpr std::string_view scan_count = "1000";
constexpr std::string_view no_cursor = "0";  // at the beginning and at the end

Result<HoldersPage> read_page(const std::string& coupon_id, const redisReply& reply) {
  if (is_error(reply)) return refusal(reply);
  if (size_of(reply) != 2) return Error{Errc::unavailable, "redis answered a scan with something else"};
  HoldersPage result;
  result.next = text_of(element(reply, 0)).value_or("");
  if (result.next == no_cursor) result.next.clear();
  const redisReply& page = element(reply, 1);
  result.holders.reserve(size_of(page) / 2);
  for (std::size_t i = 0; i + 1 < size_of(page); i += 2) {
    const auto user_id = text_of(element(page, i)).value_or("");
    auto holder = read_holder(user_id, text_of(element(page, i + 1)).value_or(""));
    if (!holder || !valid_user_id(user_id))
      return Error{Errc::gate_unusable, "redis has a malformed holder of coupon " + coupon_id};
    result.holders.push_back(std::move(*holder));
  }
  return result;
}

}  // namespace

Result<HoldersPage> scan_holders(RedisClient& client, const std::string& coupon_id,
                                 const std::string& cursor) {
  const auto space = cursor.find(' ');
  const std::string place = cursor.empty() ? std::string(no_cursor) : cursor.substr(0, space);
  const std::string server = space == std::string::npos ? std::string() : cursor.substr(space + 1);
  const auto reply = client.call(
      redis_command({"HSCAN", CouponKeys(coupon_id).holders, place, "COUNT", scan_count}), {}, server);
  if (!reply) return reply.error();
  auto page = read_page(coupon_id, **reply);
  if (page && !page->next.empty()) page->next += ' ' + client.identity();
  return page;
}

}  // namespace seonchak
