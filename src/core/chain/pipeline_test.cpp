#include <map>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

constexpr std::uint64_t seeds = 300;
constexpr int actions = 120;
constexpr int users = 40;

/// One history drawn from a seed: claims, steps, crashes and changes in any order, any call of any port
/// failing.
class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed), durable_(pick(2) == 0), log_({.events_max = 1 + pick(20)}) {
    world_.faults.fail_at_random(seed, static_cast<unsigned>(pick(25)));
    create();
    restart_relay(0);
    restart_relay(1);
    restart_consumer();
  }

  void play() {
    for (int i = 0; i < actions; ++i) act();
    world_.faults.heal();
    create();
    ASSERT_TRUE(world_.refresh()) << "which opens what is not open yet";
    for (std::size_t steps = 0; !settled() && steps < step_limit; ++steps) {
      (void)world_.refresh();
      for (auto& relay : relays_) relay->relay.step(no_wait);
      consumer_->consumer.step(no_wait);
    }
  }

  void check() {
    EXPECT_TRUE(log_.dead_letters().empty());
    for (const char* id : {"c", "d"}) {
      EXPECT_TRUE(world_.outbox(id).empty()) << id;
      const auto issued = world_.memory_gate.state(id).value().sequence;
      EXPECT_EQ(world_.saved_sequences(id), one_to(issued)) << id;
      EXPECT_LE(issued.value(), stock_most_[id]) << id;
      const auto holders = world_.sqlite->holders(id, 0, 1'000).value();
      for (const Holder& holder : holders)
        EXPECT_EQ(sequence_of(holder.user_id, id), holder.sequence) << holder.user_id;
      for (const auto& [user, sequence] : answered_[id]) EXPECT_EQ(sequence_of(user, id), sequence) << user;
    }
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  std::string coupon() { return pick(3) == 0 ? "d" : "c"; }

  void create() {
    for (const char* id : {"c", "d"}) {
      (void)world_.coupon_admin.create({id, "drawn", 1 + static_cast<std::int64_t>(pick(30)), {}, {}, {}});
    }
    note_stock();
  }

  void act() {
    switch (pick(24)) {
      case 0:
        return restart_relay(pick(2));
      case 1:
        return restart_consumer();
      case 2:
        return change_stock();
      case 3:
        return (void)world_.refresh();
      case 4:
        return relays_[pick(2)]->relay.release();
      default:
        break;
    }
    switch (pick(4)) {
      case 0:
        return (void)relays_[pick(2)]->relay.step(no_wait);
      case 1:
        return (void)consumer_->consumer.step(no_wait);
      default:
        return claim();
    }
  }

  void claim() {
    const std::string id = coupon();
    const std::string user = "user" + std::to_string(pick(users));
    const auto reply =
        world_.gate.claim_now({id, world_.open_epoch(id), 0, {user, "user" + std::to_string(pick(users))}});
    if (!reply || reply->claims[0].sequence == 0) return;
    const auto [known, added] = answered_[id].emplace(user, reply->claims[0].sequence);
    EXPECT_EQ(known->second, reply->claims[0].sequence) << "a user is told one sequence only";
  }

  void change_stock() {
    const std::string id = coupon();
    const std::int64_t stock = 1 + static_cast<std::int64_t>(pick(40));
    (void)world_.change_stock(id, stock);
    note_stock();
  }

  void note_stock() {
    for (const char* id : {"c", "d"}) {
      if (const auto row = world_.sqlite->coupon(id)) stock_most_[id] = std::max(stock_most_[id], row->stock);
    }
  }

  void restart_relay(std::size_t which) {
    relays_[which].emplace(world_, log_,
                           RelaySetup{.owner = "relay" + std::to_string(which),
                                      .durable = durable_,
                                      .queue_max = 1 + pick(10),
                                      .entries_max = 1 + pick(5),
                                      .in_flight_max = 1 + pick(10)});
  }

  void restart_consumer() {
    consumer_.reset();
    consumer_.emplace(world_, log_, 1 + pick(12));
  }

  bool settled() { return world_.outbox("c").empty() && world_.outbox("d").empty(); }

  Sequence sequence_of(const std::string& user_id, const std::string& coupon_id) {
    const auto holding = world_.memory_gate.holdings(user_id, {&coupon_id, 1}).front().value();
    return holding ? holding->sequence : 0;
  }

  std::mt19937_64 random_;
  const bool durable_;
  World world_;
  MemoryLog log_;
  std::optional<RelayLife> relays_[2];
  std::optional<ConsumerLife> consumer_;
  std::map<std::string, std::int64_t> stock_most_;
  std::map<std::string, std::map<std::string, Sequence>> answered_;
};

// However often anything fails or crashes: what the gate has issued is in the store, once each, and nothing
// else is.
TEST(Pipeline, TheStoreEndsUpWithExactlyWhatTheGateIssued) {
  for (std::uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    history.play();
    history.check();
  }
}

}  // namespace
}  // namespace seonchak
