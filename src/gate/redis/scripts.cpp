#include "gate/redis/scripts.hpp"

#include "embedded/gate_scripts.hpp"

namespace seonchak {

namespace {

/// Elements of a state in an answer of claim.lua or state.lua, the status included.
constexpr std::size_t state_elements = 12;

Error malformed(std::string_view coupon_id) {
  return {Errc::gate_unusable,
          "redis answered for coupon " + std::string(coupon_id) + " what no script of ours says"};
}

Error status_error(ScriptStatus status, std::string_view coupon_id, const redisReply& reply) {
  const std::string coupon = "coupon " + std::string(coupon_id);
  std::string found;
  if (size_of(reply) > 1) {
    const redisReply& value = element(reply, 1);
    const auto number = integer_of(value);
    found = number ? std::to_string(*number) : "being recovered";
  }
  switch (status) {
    case ScriptStatus::missing:
      return {Errc::gate_missing, "redis has no state of " + coupon};
    case ScriptStatus::epoch:
      return {Errc::gate_epoch, "redis has another " + coupon + ", epoch " + found};
    case ScriptStatus::behind:
      return {Errc::gate_behind, "redis has forgotten sequences of " + coupon + " after " + found};
    case ScriptStatus::outbox_full:
      return {Errc::outbox_full, found + " issued of " + coupon + " would wait for the store"};
    case ScriptStatus::stock_below_issued:
      return {Errc::stock_below_issued, found + " of " + coupon + " are issued"};
    case ScriptStatus::holders_lost:
      return {Errc::gate_behind, "redis has lost holders of " + coupon + " and has " + found};
    case ScriptStatus::outbox_lost:
      return {Errc::gate_behind, "redis has lost the outbox of " + coupon + " up to sequence " + found};
    case ScriptStatus::state_lost:
      return {Errc::gate_behind, "redis has lost a part of the state of " + coupon};
    case ScriptStatus::later:
      return {Errc::gate_later, "redis has a later state of " + coupon + ", " + found};
    case ScriptStatus::done:
      break;
  }
  return malformed(coupon_id);
}

/// A window's end: "" is none.
bool read_time(const redisReply& reply, std::optional<Time>& time) {
  if (text_of(reply) == std::string_view()) return true;
  time = time_of(reply);
  return time.has_value();
}

/// Fills in those who held the coupon before the batch, or got it earlier in the batch; false for nonsense.
bool read_told(const redisReply& reply, std::vector<Claim>& claims) {
  for (std::size_t at = state_elements + 1; at + 1 < size_of(reply); at += 2) {
    const auto position = integer_of(element(reply, at));
    const auto holder = read_holder({}, text_of(element(reply, at + 1)).value_or(""));
    if (!position || *position < 1 || *position > static_cast<std::int64_t>(claims.size()) || !holder ||
        holder->sequence < 1)
      return false;
    claims[static_cast<std::size_t>(*position - 1)] = {Decision::already_issued, holder->sequence,
                                                       holder->issued_at};
  }
  return true;
}

}  // namespace

std::string millis_or_empty(const std::optional<Time>& time) {
  return time ? std::to_string(to_millis(*time)) : std::string();
}

CouponKeys::CouponKeys(std::string_view coupon_id) {
  const std::string prefix = "{coupon:" + std::string(coupon_id) + "}:";
  state = prefix + "state";
  holders = prefix + "holders";
  outbox = prefix + "outbox";
  relay = prefix + "relay";
}

std::optional<std::string> coupon_of_key(std::string_view key) {
  constexpr std::string_view opening = "{coupon:";
  const auto closing = key.find('}');
  if (!key.starts_with(opening) || closing == std::string_view::npos) return std::nullopt;
  return std::string(key.substr(opening.size(), closing - opening.size()));
}

ScriptCall claim_call(const ClaimBatch& batch, std::int64_t outbox_sequences_max) {
  static const Script script(embedded::k_claim_lua);
  const CouponKeys keys(batch.coupon_id);
  ScriptCall call(script, {keys.state, keys.holders, keys.outbox});
  call.add(batch.epoch).add(batch.sequence_seen).add(outbox_sequences_max);
  for (const std::string& user : batch.users) call.add(user);
  return call;
}

ScriptCall state_call(const std::string& coupon_id) {
  static const Script script(embedded::k_state_lua);
  const CouponKeys keys(coupon_id);
  return ScriptCall(script, {keys.state, keys.holders});
}

ScriptCall outbox_call(const std::string& coupon_id) {
  static const Script script(embedded::k_outbox_lua);
  const CouponKeys keys(coupon_id);
  return ScriptCall(script, {keys.state, keys.outbox});
}

ScriptCall install_call(const GateConfig& config) {
  static const Script script(embedded::k_install_lua);
  const CouponKeys keys(config.id);
  ScriptCall call(script, {keys.state, keys.holders, keys.outbox});
  call.add(config.stock).add(millis_or_empty(config.opens_at)).add(millis_or_empty(config.closes_at));
  call.add(std::int64_t{config.closed})
      .add(config.epoch)
      .add(config.revision)
      .add(to_millis(config.created_at));
  return call;
}

ScriptCall configure_call(const GateConfig& config) {
  static const Script script(embedded::k_configure_lua);
  const CouponKeys keys(config.id);
  ScriptCall call(script, {keys.state, keys.holders});
  call.add(config.stock).add(millis_or_empty(config.opens_at)).add(millis_or_empty(config.closes_at));
  call.add(std::int64_t{config.closed}).add(config.revision).add(config.epoch);
  return call;
}

namespace {

ScriptCall mark_call(const Watermark& watermark, std::string_view field) {
  static const Script script(embedded::k_watermark_lua);
  const CouponKeys keys(watermark.coupon_id);
  ScriptCall call(script, {keys.state, keys.outbox});
  call.add(field).add(watermark.sequence).add(watermark.epoch);
  return call;
}

}  // namespace

ScriptCall published_call(const Watermark& watermark) {
  return mark_call(watermark, "published");
}
ScriptCall reject_call(const Watermark& rejected) {
  static const Script script(embedded::k_reject_lua);
  ScriptCall call(script, {CouponKeys(rejected.coupon_id).state});
  call.add(rejected.epoch).add(rejected.sequence).add(std::int64_t{RejectedSequences::kept_max});
  return call;
}

ScriptCall room_call() {
  static const Script script(embedded::k_room_lua);
  // At its limit a server takes small calls and refuses a batch: this is as large as one.
  static const std::string batch(64 * 1024, ' ');
  ScriptCall call(script, {});
  call.add(batch);
  return call;
}

ScriptCall persisted_call(const Watermark& watermark) {
  return mark_call(watermark, "persisted");
}

ScriptCall lease_call(const std::string& coupon_id, const std::string& owner, std::chrono::milliseconds ttl) {
  static const Script script(embedded::k_lease_lua);
  ScriptCall call(script, {CouponKeys(coupon_id).relay});
  call.add(owner).add(std::int64_t{ttl.count()});
  return call;
}

ScriptCall release_call(const std::string& coupon_id, const std::string& owner) {
  static const Script script(embedded::k_release_lua);
  ScriptCall call(script, {CouponKeys(coupon_id).relay});
  call.add(owner);
  return call;
}

Result<void> read_status(std::string_view coupon_id, const redisReply& reply) {
  if (is_error(reply)) return refusal(reply);
  if (size_of(reply) == 0) return malformed(coupon_id);
  const auto status = integer_of(element(reply, 0));
  if (!status) return malformed(coupon_id);
  if (*status == static_cast<int>(ScriptStatus::done)) return {};
  return status_error(static_cast<ScriptStatus>(*status), coupon_id, reply);
}

namespace {

/// What the answers of claim.lua and state.lua begin with.
Result<GateState> read_common(std::string_view coupon_id, const redisReply& reply) {
  const auto status = read_status(coupon_id, reply);
  if (!status) return status.error();
  if (size_of(reply) < state_elements) return malformed(coupon_id);

  GateState state;
  bool whole = true;
  const auto number = [&](std::size_t index) {
    const auto value = count_of(element(reply, index));
    whole = whole && value;
    return value.value_or(0);
  };
  state.stock = number(1);
  state.sequence = Sequence(number(2));
  state.issued = number(3);
  whole = read_time(element(reply, 4), state.opens_at) && whole;
  whole = read_time(element(reply, 5), state.closes_at) && whole;
  state.closed = number(6) != 0;
  state.epoch = Epoch(number(7));
  state.revision = GateRevision(number(8));
  state.published = Sequence(number(9));
  state.persisted = Sequence(number(10));
  const auto now = time_of(element(reply, 11));
  if (!now || state.epoch == 0 || !count_of(element(reply, 3))) return malformed(coupon_id);
  // The epoch is one of ours: so was the rest.
  if (!whole) return status_error(ScriptStatus::state_lost, coupon_id, reply);
  state.now = *now;
  return state;
}

}  // namespace

Result<GateState> read_state(std::string_view coupon_id, const redisReply& reply) {
  auto state = read_common(coupon_id, reply);
  if (state && size_of(reply) > state_elements)
    state->counted = count_of(element(reply, state_elements)).value_or(-1);
  return state;
}

Result<ClaimReply> read_claims(std::string_view coupon_id, std::size_t users, const redisReply& reply) {
  // What has no room for an entry is as full as an outbox that has reached its limit.
  if (is_error(reply, "OOM")) return Error{Errc::outbox_full, refusal(reply).message};
  auto state = read_common(coupon_id, reply);
  if (!state) return state.error();
  const std::size_t size = size_of(reply);
  const bool pairs = size > state_elements && (size - state_elements) % 2 == 1;
  const auto fresh = pairs ? count_of(element(reply, state_elements)) : std::nullopt;
  if (!fresh || *fresh > state->sequence.value()) return malformed(coupon_id);
  // A refusal needs no code: the state after the batch refuses for the same reason.
  const Decision refusal = decide(*state, false);
  ClaimReply answer{*state, std::vector<Claim>(users, Claim{refusal, 0, {}})};
  if (!read_told(reply, answer.claims)) return malformed(coupon_id);
  Sequence next = state->sequence - *fresh + 1;
  for (Claim& claim : answer.claims) {
    if (claim.decision == Decision::already_issued) continue;
    if (next <= state->sequence) {
      claim = {Decision::issued, next, state->now};
      ++next;
    } else if (refusal == Decision::issued) {
      return malformed(coupon_id);
    }
  }
  if (next <= state->sequence) return malformed(coupon_id);
  return answer;
}

}  // namespace seonchak
