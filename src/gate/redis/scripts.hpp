#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/model/coupon.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/gate_recovery.hpp"
#include "gate/redis/command.hpp"
#include "gate/redis/reply.hpp"

namespace seonchak {

/// The first number a script answers.
enum class ScriptStatus {
  done = 0,
  missing = 1,             ///< no state
  epoch = 2,               ///< state of another epoch or coupon, which follows
  behind = 3,              ///< the state's sequence, which follows, is lower than what the caller has seen
  outbox_full = 4,         ///< how many would wait follows
  stock_below_issued = 5,  ///< how many are issued follows
  holders_lost = 6,        ///< how many are left follows: fewer than the state has counted
  outbox_lost = 7,  ///< there is no outbox, though up to the sequence that follows something waits in it
  state_lost = 8,   ///< the state lacks something, or says less than the outbox
  later = 9,        ///< the state's revision or epoch, which follows, is later than the one given
};

/// The keys of one coupon. They share the hash tag, so that a script may use them together in a cluster.
struct CouponKeys {
  explicit CouponKeys(std::string_view coupon_id);

  /// Hash: stock sequence opens_at closes_at closed epoch revision created_at published persisted holders;
  /// epoch is a number, or "r" and a token during a recovery; after one, rebuilt and pending. rejected:
  /// sequences that will have no row, or "*" for any. torn: a claim
  /// has found that an earlier one got no further than its first write.
  std::string state;
  std::string holders;  ///< hash: user -> "SEQUENCE:ISSUED_AT_MS"
  std::string outbox;   ///< stream: LAST_SEQUENCE-0, e = epoch, t = issued at in ms, u = users joined by ","
  std::string relay;    ///< string with a time limit: the relay that has the lease
};

/// The coupon's id in a key of CouponKeys, or nothing for another key.
std::optional<std::string> coupon_of_key(std::string_view key);

ScriptCall claim_call(const ClaimBatch& batch, std::int64_t outbox_sequences_max);
ScriptCall state_call(const std::string& coupon_id);
ScriptCall outbox_call(const std::string& coupon_id);
ScriptCall install_call(const GateConfig& config);
ScriptCall configure_call(const GateConfig& config);
ScriptCall published_call(const Watermark& watermark);
ScriptCall persisted_call(const Watermark& watermark);
ScriptCall reject_call(const Watermark& rejected);
ScriptCall room_call();
ScriptCall lease_call(const std::string& coupon_id, const std::string& owner, std::chrono::milliseconds ttl);
ScriptCall release_call(const std::string& coupon_id, const std::string& owner);

ScriptCall holders_call(const GateConfig& config, std::span<const std::string> users);
ScriptCall begin_recovery_call(const GateConfig& config, const std::string& token,
                               const std::string& expected);
ScriptCall put_holders_call(const std::string& coupon_id, const std::string& token,
                            std::span<const Holder> holders, bool first);
ScriptCall put_outbox_call(const std::string& coupon_id, const std::string& token,
                           std::span<const OutboxEntry> entries, bool first);
ScriptCall open_recovered_call(const GateConfig& config, const std::string& token,
                               const RebuiltWatermarks& watermarks);

/// A window's end as the scripts take it: milliseconds, "" for none.
std::string millis_or_empty(const std::optional<Time>& time);

/// "SEQUENCE:ISSUED_AT_MS" of the holders hash.
std::optional<Holder> read_holder(std::string_view user_id, std::string_view value);

/// What a script that answers a status only has done.
Result<void> read_status(std::string_view coupon_id, const redisReply& reply);
Result<GateState> read_state(std::string_view coupon_id, const redisReply& reply);

/// `users` is the number of users of the batch.
Result<ClaimReply> read_claims(std::string_view coupon_id, std::size_t users, const redisReply& reply);

}  // namespace seonchak
