#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "core/model/ids.hpp"

namespace seonchak {

inline constexpr std::int64_t stock_max = 10'000'000;
inline constexpr std::size_t coupon_id_bytes_max = 64;
inline constexpr std::size_t user_id_bytes_max = 64;
inline constexpr std::size_t name_bytes_max = 200;

/// How far an issued coupon must have come before its user is answered.
enum class Ack {
  gate,   ///< decided and in the outbox
  log,    ///< acknowledged by the event log
  store,  ///< committed in the store
};

std::string_view to_string(Ack ack);
std::optional<Ack> parse_ack(std::string_view text);

/// How the store sees the state that a coupon has in its gate.
enum class Phase {
  unopened,    ///< it has never had one that counts
  open,        ///< the gate may be asked
  recovering,  ///< a new epoch was drawn, and is not settled yet
};

/// A campaign: `stock` coupons for the first distinct users who ask inside the window.
struct Coupon {
  std::string id;                 ///< valid_coupon_id; unique for ever
  std::string name;               ///< UTF-8, 1 to name_bytes_max bytes
  std::int64_t stock = 0;         ///< 1 to stock_max
  std::optional<Time> opens_at;   ///< issuing starts here; absent: at once
  std::optional<Time> closes_at;  ///< issuing ends just before this; absent: never
  bool closed = false;            ///< closed by an operator, for good
  Ack ack = Ack::gate;
  Epoch epoch = 0;        ///< the latest life of its gate's state, whether open yet or not
  Epoch settled = 0;      ///< the epoch that was opened last; 0: never
  std::string gate;       ///< GateControl::identity of the server that state is trusted on
  Revision revision = 0;  ///< grows with every change of any coupon, across the whole store, at least as
                          ///< fast as the store's clock counts milliseconds
  Time created_at{};

  bool operator==(const Coupon&) const = default;

  Phase phase() const {
    if (settled == 0) return Phase::unopened;
    return settled == epoch ? Phase::open : Phase::recovering;
  }
  bool is_open() const { return phase() == Phase::open; }
};

/// 1 to 64 of A-Z a-z 0-9 . _ -  (no braces or colons: an id is part of a Redis key)
bool valid_coupon_id(std::string_view id);

/// Why a row that somebody else has written cannot be served; nothing where it can. Ids become parts of keys
/// and messages as they are, and times beyond time_from_millis are none to the gate.
std::optional<std::string_view> why_not_served(const Coupon& coupon);

/// 1 to 64 of A-Z a-z 0-9 . _ : @ -
bool valid_user_id(std::string_view id);

}  // namespace seonchak
