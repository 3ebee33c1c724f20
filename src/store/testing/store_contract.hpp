#pragma once
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/ports.hpp"
#include "sim/memory_store.hpp"
#include "store/testing/database.hpp"

namespace seonchak {

struct Twin {
  std::string name;
  std::function<std::unique_ptr<StoreDatabase>()> make;

  friend void PrintTo(const Twin& twin, std::ostream* out) { *out << twin.name; }
};

/// A store of either kind on a fresh database.
class StoreContract : public testing::TestWithParam<Twin> {
 protected:
  void SetUp() override {
    database_ = GetParam().make();
    store_ = database_->open();
  }

  void reopen() {
    store_.reset();
    store_ = database_->open();
  }

  std::vector<Sequence> sequences(const std::string& coupon_id) {
    std::vector<Sequence> found;
    for (const Holder& holder : store_->holders(coupon_id, 0, 100'000).value())
      found.push_back(holder.sequence);
    return found;
  }

  std::string holder(const std::string& coupon_id, Sequence sequence) {
    const auto found = store_->holders(coupon_id, sequence - 1, 1).value();
    return found.empty() || found[0].sequence != sequence ? "" : found[0].user_id;
  }

  std::vector<LogPosition> positions() { return store_->positions("group", "topic").value(); }

  std::unique_ptr<StoreDatabase> database_;
  std::unique_ptr<Store> store_;
};

/// The simulator's store, which outlives whoever opens it.
class SimulatedDatabase final : public StoreDatabase {
 public:
  std::unique_ptr<Store> open() override { return std::make_unique<FaultyStore>(store_, no_faults_); }

 private:
  sim::MemoryStore store_;
  FaultPlan no_faults_;
};

inline auto store_twins() {
  return testing::Values(Twin{"Sqlite", [] { return std::make_unique<SqliteDatabase>(); }},
                         Twin{"Postgres", [] { return std::make_unique<PostgresDatabase>(); }},
                         Twin{"Simulated", [] { return std::make_unique<SimulatedDatabase>(); }});
}

inline std::string twin_name(const testing::TestParamInfo<Twin>& twin) {
  return twin.param.name;
}

inline void expect_same(const Coupon& found, const Coupon& expected) {
  EXPECT_EQ(found.id, expected.id);
  EXPECT_EQ(found.name, expected.name);
  EXPECT_EQ(found.stock, expected.stock);
  EXPECT_EQ(found.opens_at, expected.opens_at);
  EXPECT_EQ(found.closes_at, expected.closes_at);
  EXPECT_EQ(found.closed, expected.closed);
  EXPECT_EQ(found.ack, expected.ack);
  EXPECT_EQ(found.epoch, expected.epoch);
  EXPECT_EQ(found.settled, expected.settled);
  EXPECT_EQ(found.gate, expected.gate);
  EXPECT_EQ(found.revision, expected.revision);
  EXPECT_EQ(found.created_at, expected.created_at);
}

}  // namespace seonchak
