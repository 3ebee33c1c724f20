#include "core/audit/auditor.hpp"

#include <gtest/gtest.h>

#include "core/testing/world.hpp"

namespace seonchak {
namespace {

/// The embedded pipeline, and an audit of it that does not pause.
struct Live : World {
  MemoryLog log;
  const std::unique_ptr<EventLogTail> tail = log.tail();

  AuditOptions options{.pause = no_wait};

  Result<AuditReport> run() {
    return run_audit({*sqlite, &memory_gate, &memory_gate, &memory_gate, tail.get()}, options);
  }

  Coupon open(const std::string& id, std::int64_t stock) {
    create(id, stock);
    (void)refresh();
    const std::string name = memory_gate.identity(id).value().name();
    return sqlite
        ->update_coupon(id,
                        [&](Coupon& row) -> Result<void> {
                          row.gate = name;
                          return {};
                        })
        .value();
  }

  void save_all() {
    RelayLife(*this, log).drain();
    ConsumerLife(*this, log).steps(3);
  }

  void save_row(const std::string& coupon_id, const std::string& user, Sequence sequence) {
    ASSERT_TRUE(sqlite->save({"g", "t", {{coupon_id, user, sequence, now(), 1}}, {}}).has_value());
  }
};

TEST(Auditor, AnEntryThatCannotBeReadIsNotTakenForTheEndOfItsOutbox) {
  Live live;
  live.open("c", 10);
  live.issue("c", 3);
  live.gate.malformed_entries["c"] = 2;
  const auto report = run_audit(
      {*live.sqlite, &live.memory_gate, &live.gate, &live.memory_gate, live.tail.get()}, live.options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->breach_count(), 0);
  ASSERT_EQ(report->unfinished.size(), 1U);
  EXPECT_NE(report->unfinished[0].find("foreign keys"), std::string::npos);
}

TEST(Auditor, ARunningPipelineIsCleanAtEveryStage) {
  Live live;
  live.open("c", 10);
  EXPECT_EQ(live.run().value().breach_count(), 0);
  live.issue("c", 6);
  const auto waiting = live.run().value();
  EXPECT_EQ(waiting.breach_count(), 0);
  EXPECT_EQ(waiting.coupons.at(0).waiting, 6);
  RelayLife(live, live.log).drain();
  EXPECT_EQ(live.run().value().coupons.at(0).logged, 6);
  live.save_all();
  const auto saved = live.run().value();
  EXPECT_EQ(saved.breach_count(), 0);
  EXPECT_EQ(saved.coupons.at(0).saved, 6);
  EXPECT_EQ(saved.coupons.at(0).waiting, 0);
  EXPECT_TRUE(saved.unfinished.empty());
  EXPECT_TRUE(saved.notes.empty());
}

TEST(Auditor, NamesABreachThatStays) {
  Live live;
  live.open("c", 10);
  live.open("d", 10);
  live.save_row("d", "stranger", 1);
  const auto report = live.run().value();
  ASSERT_EQ(report.coupons.size(), 2U);
  EXPECT_EQ(report.coupons[0].breach_count, 0);
  ASSERT_EQ(report.coupons[1].breaches.size(), 1U);
  EXPECT_EQ(report.coupons[1].breaches[0].kind, BreachKind::row_not_held);
  EXPECT_EQ(report.coupons[1].breaches[0].user_id, "stranger");
}

/// The gate as another reader sees it: after each listing of the holders, something happens.
struct Meddler final : GateRecovery {
  explicit Meddler(GateRecovery& inner) : inner_(inner) {}
  std::function<void(int)> after_reading = [](int) {};

  Result<std::vector<Holder>> survivors(const std::string& id, Sequence after) override {
    auto found = inner_.survivors(id, after);
    after_reading(++readings_);
    return found;
  }
  Result<std::string> observe(const std::string& id) override { return inner_.observe(id); }
  Result<Remains> begin(const GateConfig& config, const std::string& token,
                        const std::string& expected) override {
    return inner_.begin(config, token, expected);
  }
  Result<void> put_holders(const std::string& id, const std::string& token, std::span<const Holder> holders,
                           bool first) override {
    return inner_.put_holders(id, token, holders, first);
  }
  Result<void> put_outbox(const std::string& id, const std::string& token,
                          std::span<const OutboxEntry> entries, bool first) override {
    return inner_.put_outbox(id, token, entries, first);
  }
  Result<void> open(const GateConfig& config, const std::string& token,
                    const RebuiltWatermarks& watermarks) override {
    return inner_.open(config, token, watermarks);
  }

 private:
  GateRecovery& inner_;
  int readings_ = 0;
};

TEST(Auditor, WhatIsIssuedAndSavedDuringTheReadingIsNoBreach) {
  Live live;
  live.open("c", 10);
  live.issue("c", 2);
  Meddler gate(live.memory_gate);
  gate.after_reading = [&](int) {
    live.issue("c", 3);
    live.save_all();
  };
  const auto report =
      run_audit({*live.sqlite, &live.memory_gate, &live.memory_gate, &gate, live.tail.get()}, live.options)
          .value();
  EXPECT_EQ(report.breach_count(), 0);
  EXPECT_EQ(report.coupons.at(0).moving, 3);
}

TEST(Auditor, ABreachThatALaterReadingDoesNotShowIsDropped) {
  Live live;
  live.open("c", 10);
  live.issue("c", 1);
  live.save_row("c", "late", 2);
  Meddler gate(live.memory_gate);
  gate.after_reading = [&](int reading) {
    if (reading == 2) live.claim("c", "late");
  };
  const auto report =
      run_audit({*live.sqlite, &live.memory_gate, &live.memory_gate, &gate, live.tail.get()}, live.options)
          .value();
  EXPECT_EQ(report.breach_count(), 0);
}

TEST(Auditor, ACouponBeingRecoveredIsLeftUnfinishedAndSaysWhy) {
  Live live;
  const Coupon coupon = live.open("c", 10);
  live.options.unsettled_readings_max = 2;
  ASSERT_TRUE(
      live.memory_gate.begin(committed(coupon), "token", live.memory_gate.observe("c").value()).has_value());
  const auto report = live.run().value();
  EXPECT_TRUE(report.coupons.empty());
  ASSERT_EQ(report.unfinished.size(), 1U);
  EXPECT_NE(report.unfinished[0].find("recovered"), std::string::npos);
}

TEST(Auditor, AGateThatLostACouponIsABreach) {
  Live live;
  live.open("c", 10);
  live.options.unsettled_readings_max = 2;
  live.memory_gate.forget("c");
  const auto report = live.run().value();
  ASSERT_EQ(report.coupons.at(0).breaches.size(), 1U);
  EXPECT_EQ(report.coupons[0].breaches[0].kind, BreachKind::gate_missing);
}

TEST(Auditor, MoreUnreadEventsThanTheLimitAreRefused) {
  Live live;
  live.open("c", 10);
  live.issue("c", 4);
  RelayLife(live, live.log).drain();
  live.options.log_events_max = 3;
  const auto refused = live.run();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::overloaded);
}

TEST(Auditor, WithoutAGateTheStoreAloneIsChecked) {
  Live live;
  live.open("c", 2);
  live.issue("c", 2);
  live.save_all();
  const auto report = run_audit({*live.sqlite}, live.options).value();
  EXPECT_EQ(report.breach_count(), 0);
  EXPECT_EQ(report.coupons.at(0).saved, 2);
  EXPECT_EQ(report.notes.size(), 2U);
}

TEST(Auditor, ACouponThatDoesNotExistIsAnError) {
  Live live;
  live.options.coupon_id = "none";
  EXPECT_EQ(live.run().error().code, Errc::not_found);
}

}  // namespace
}  // namespace seonchak
