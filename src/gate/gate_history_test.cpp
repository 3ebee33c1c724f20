#include <map>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "gate/testing/gate_twin.hpp"

namespace seonchak {
namespace {

constexpr int histories = 300;
constexpr int steps = 40;
constexpr std::int64_t outbox_sequences_max = 12;

/// The gate in the plainest form: core/decision.hpp, one user after the other.
class Model {
 public:
  explicit Model(const GateConfig& coupon) : coupon_id_(coupon.id) {
    state_.stock = coupon.stock;
    state_.epoch = coupon.epoch;
    state_.revision = coupon.revision;
  }

  /// Nothing when the outbox is full.
  std::optional<std::vector<Claim>> claim(const std::vector<std::string>& users) {
    Model after = *this;
    after.state_.now = now();
    std::vector<Claim> claims;
    OutboxEntry entry{coupon_id_, state_.epoch, state_.sequence + 1, {}, {}};
    for (const std::string& user : users) {
      const auto held = after.holders_.find(user);
      const bool holds = held != after.holders_.end();
      const Decision decision = decide(after.state_, holds);
      if (decision == Decision::issued) {
        ++after.state_.issued;
        after.holders_[user] = ++after.state_.sequence;
        entry.users.push_back(user);
      }
      claims.push_back({decision, after.holders_.contains(user) ? after.holders_[user] : 0, {}});
    }
    if (!entry.users.empty()) {
      if (after.state_.sequence - state_.persisted > outbox_sequences_max) return std::nullopt;
      after.outbox_.push_back(std::move(entry));
    }
    *this = std::move(after);
    return claims;
  }

  /// Why nothing is taken over, if that is an error.
  std::optional<Errc> configure(const GateConfig& coupon) {
    if (coupon.revision == state_.revision) return std::nullopt;
    if (coupon.revision < state_.revision) return Errc::gate_later;
    if (coupon.stock < state_.issued) return Errc::stock_below_issued;
    state_.stock = coupon.stock;
    state_.opens_at = coupon.opens_at;
    state_.closes_at = coupon.closes_at;
    state_.closed = coupon.closed;
    state_.revision = coupon.revision;
    return std::nullopt;
  }

  void watermark(Sequence published, Sequence persisted) {
    state_.published = std::max(state_.published, published);
    state_.persisted = std::max(state_.persisted, persisted);
    std::erase_if(outbox_, [&](const OutboxEntry& e) { return e.last_sequence() <= state_.persisted; });
  }

  const GateState& state() const { return state_; }
  const std::vector<OutboxEntry>& outbox() const { return outbox_; }
  const std::map<std::string, Sequence>& holders() const { return holders_; }

 private:
  std::string coupon_id_;
  GateState state_;
  std::map<std::string, Sequence> holders_;
  std::vector<OutboxEntry> outbox_;
};

class History {
 public:
  History(std::uint32_t seed, testing::GateTwin& twin) : random_(seed), twin_(twin) {
    coupon_.stock = number(1, 12);
    EXPECT_TRUE(twin_.control().install(coupon_));
  }

  void run() {
    Model model(coupon_);
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      const auto dice = number(0, 9);
      if (dice < 6) {
        claim(model);
      } else if (dice < 8) {
        configure(model);
      } else {
        watermark(model);
      }
      compare_state(model);
    }
    compare_end(model);
  }

 private:
  std::int64_t number(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }

  void claim(Model& model) {
    std::vector<std::string> users;
    for (auto n = number(1, 8); n > 0; --n) users.push_back("u" + std::to_string(number(1, 25)));
    const auto expected = model.claim(users);
    const auto reply = twin_.claim(testing::batch_of(coupon_, users));
    ASSERT_EQ(reply.has_value(), expected.has_value()) << (reply ? "" : reply.error().message);
    if (!reply) {
      EXPECT_EQ(reply.error().code, Errc::outbox_full);
      return;
    }
    ASSERT_EQ(reply->claims.size(), users.size());
    for (std::size_t i = 0; i < users.size(); ++i) {
      const Claim& got = reply->claims[i];
      EXPECT_EQ(to_string(got.decision), to_string((*expected)[i].decision)) << users[i];
      EXPECT_EQ(got.sequence, (*expected)[i].sequence) << users[i];
      if (got.sequence > 0) {
        EXPECT_EQ(got.issued_at, times_.try_emplace(users[i], got.issued_at).first->second) << users[i];
      }
    }
  }

  void configure(Model& model) {
    const Time past = from_millis(1'000'000'000'000);
    const Time future = from_millis(4'000'000'000'000);
    const auto sometime = [&]() -> std::optional<Time> {
      const auto dice = number(0, 5);
      if (dice == 0) return past;
      if (dice == 1) return future;
      return std::nullopt;
    };
    GateConfig changed = coupon_;
    changed.revision = model.state().revision + number(-1, 2);
    changed.stock = number(1, 30);
    changed.opens_at = sometime();
    changed.closes_at = sometime();
    changed.closed = number(0, 7) == 0;
    const auto refused = model.configure(changed);
    const auto done = twin_.control().configure(changed);
    ASSERT_EQ(done.has_value(), !refused.has_value());
    if (!done) {
      EXPECT_EQ(done.error().code, *refused);
    }
  }

  void watermark(Model& model) {
    const Watermark published{coupon_.id, Sequence(number(0, model.state().sequence.value())), coupon_.epoch};
    const Watermark persisted{coupon_.id, Sequence(number(0, model.state().sequence.value())), coupon_.epoch};
    model.watermark(published.sequence, persisted.sequence);
    ASSERT_TRUE(twin_.outbox().raise_published({&published, 1}).front());
    ASSERT_TRUE(twin_.outbox().raise_persisted({&persisted, 1}).front());
  }

  void compare_state(const Model& model) {
    const auto state = twin_.control().state(coupon_.id);
    ASSERT_TRUE(state) << state.error().message;
    const GateState& expected = model.state();
    EXPECT_EQ(state->stock, expected.stock);
    EXPECT_EQ(state->sequence, expected.sequence);
    EXPECT_EQ(state->issued, expected.issued);
    EXPECT_EQ(state->opens_at, expected.opens_at);
    EXPECT_EQ(state->closes_at, expected.closes_at);
    EXPECT_EQ(state->closed, expected.closed);
    EXPECT_EQ(state->epoch, expected.epoch);
    EXPECT_EQ(state->revision, expected.revision);
    EXPECT_EQ(state->published, expected.published);
    EXPECT_EQ(state->persisted, expected.persisted);
  }

  void compare_end(const Model& model) {
    const Watermark start{coupon_.id, 0};
    const auto read = twin_.outbox().read({&start, 1}, 1'000, std::chrono::milliseconds(0));
    ASSERT_TRUE(read);
    ASSERT_EQ(read->entries.size(), model.outbox().size());
    for (std::size_t i = 0; i < read->entries.size(); ++i) {
      EXPECT_EQ(read->entries[i].first_sequence, model.outbox()[i].first_sequence);
      EXPECT_EQ(read->entries[i].users, model.outbox()[i].users);
    }
    for (const auto& [user, sequence] : model.holders()) {
      const auto holding = twin_.control().holdings(user, {&coupon_.id, 1}).front();
      ASSERT_TRUE(holding) << holding.error().message;
      ASSERT_TRUE(*holding) << user;
      EXPECT_EQ((*holding)->sequence, sequence);
      EXPECT_EQ((*holding)->issued_at, times_.at(user));
    }
  }

  std::mt19937 random_;
  testing::GateTwin& twin_;
  GateConfig coupon_ = testing::make_config(1);
  std::map<std::string, Time> times_;  ///< when each user's coupon was first said to be issued
};

class GateHistory : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Twins, GateHistory, ::testing::Values("memory", "redis"),
                         [](const auto& info) { return info.param; });

TEST_P(GateHistory, EveryRandomHistoryAgreesWithTheRule) {
  const auto twin = testing::make_twin(GetParam(), outbox_sequences_max);
  const auto first_seed = std::random_device{}();
  for (int i = 0; i < histories && !HasFailure(); ++i) {
    const std::uint32_t seed = first_seed + static_cast<std::uint32_t>(i);
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed, *twin).run();
  }
}

}  // namespace
}  // namespace seonchak
